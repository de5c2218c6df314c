"""What this package raises."""


class ServiceError(Exception):
    """The service could not be changed as asked; the text says why and what to do now."""
