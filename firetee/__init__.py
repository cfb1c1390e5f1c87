"""firetee's command line: builds the layer, tries functions out, installs firetee on functions and checks it.

Nothing here runs inside a Lambda function; that is `wrapper/` and `log_capture/`.
"""

__version__ = "0.1.0"
