"""Report task progress to a Signalbox gateway, ask people questions, hear their answers.

from signalbox import Gateway

gateway = Gateway.from_env()
gateway.progress("report-7", 40, current=2, total=5, message="reading pages")
gateway.complete("report-7", result={"pages": 5})
"""

from .errors import GatewayError
from .gateway import Gateway
from .models import Statistics, TaskStepResult, UserConfirmation

__all__ = ["Gateway", "GatewayError", "Statistics", "TaskStepResult", "UserConfirmation", "__version__"]

__version__ = "0.1.0"
