"""matderiv."""
