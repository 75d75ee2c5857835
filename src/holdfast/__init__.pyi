from . import errors as errors
from . import operations as operations
from .operations.connect import Connection as Connection
from .operations.connect import connect as connect

__version__: str
