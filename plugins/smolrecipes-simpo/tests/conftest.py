"""The tests run in a checkout too, without installing the plugin."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("smolrecipes_simpo") is None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
