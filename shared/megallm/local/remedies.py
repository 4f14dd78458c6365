"""What stops an installation, and the remedy, in words for the user.

Like bootstrap.py, which runs before anything is installed: the standard library and old syntax only.
"""

import errno
import re
import sys

OLDEST, NEWEST = 11, 14  # Python 3.x


class CannotInstall(Exception):
    """What stands in the way, and the remedy, in words for the user."""


NO_OPENMP = (
    "The library libgomp.so.1, which runs the embedded model, is not on this machine. Install it "
    "(Debian, Ubuntu: sudo apt install libgomp1; Fedora: sudo dnf install libgomp) and run the command again."
)


def for_old_python(running: "tuple[int, int, int]") -> str:
    """Where to get a newer one, and how it is found."""
    version = ".".join(str(part) for part in running)
    return (
        f"MegaLLM needs Python 3.{OLDEST} or newer, and this is Python {version}. Install a newer one "
        f"(Debian, Ubuntu: sudo apt install python3.{OLDEST} python3.{OLDEST}-venv; macOS: brew install python@3.13) "
        f"and run the command again; it is found by itself if it is called python3.{OLDEST} or higher, "
        "and PYTHON=/path/to/python names any other."
    )


def for_pip(lines: "list[str]") -> str:
    """What pip's output says went wrong, and what helps."""
    output = "\n".join(lines)
    python = ".".join(str(part) for part in sys.version_info[:2])
    if "No space left on device" in output:
        return (
            "The disk is full (the packages, or the temporary folder that pip unpacks in). Make room and run it again."
        )
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "A downloaded package is not the one that this project pins: a mirror or a proxy delivers something else. "
            "Nothing of it was installed. Try another network or index; do not switch the check off.\n"
            + "\n".join(lines[-12:])
        )
    if re.search("Retrying|NewConnectionError|Name or service not known|name resolution|ProxyError|SSLError", output):
        return (
            "The package index cannot be reached. Check the network; behind a proxy set HTTPS_PROXY, with a mirror "
            "PIP_INDEX_URL. Then run the command again.\n" + "\n".join(lines[-3:])
        )
    if "No matching distribution found" in output:
        return (
            f"The package index has no build of a pinned package for Python {python} on {sys.platform}. "
            f"Another Python (3.{OLDEST} to 3.{NEWEST}) may have one: PYTHON=/path/to/python make run.\n"
            + "\n".join(lines[-3:])
        )
    return "pip could not install the packages. The end of what it said:\n" + "\n".join(lines[-15:])


def for_os_error(error: OSError, folder: str) -> str:
    """What an operating system's refusal means here, and what helps."""
    where = error.filename or folder
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where} cannot be written. Clone the project into a folder of your own, or change the folder's owner."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"There is no room left for {where}. Make room and run the command again."
    return f"The installation failed: {error}"
