"""Events and times to the names and values of OpenTelemetry's conventions for generative AI."""
