"""The server-sent-event stream of the Responses API as an Observable of typed events."""
