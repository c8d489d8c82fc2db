"""The processes of a broker: a supervisor, its workers, and the socket that they share."""
