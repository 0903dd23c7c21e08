"""Every event, item, part and response of the Responses API as a frozen, typed model."""
