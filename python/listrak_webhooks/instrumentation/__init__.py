"""What becomes of each delivery, as one record, and who is told: the log, and the user's `on_rejected`."""

from ._log import LogListener, logger
from ._on_rejected import OnRejectedListener
from ._outcome import Listener, Outcome

__all__ = ["Listener", "LogListener", "OnRejectedListener", "Outcome", "logger"]
