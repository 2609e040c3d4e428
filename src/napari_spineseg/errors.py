"""What can go wrong in a way a person can act on.

Every message is one sentence that names the file or setting and says what to do. Anything
else that is raised is a bug and keeps its traceback.
"""

from shlex import quote


class SpineSegError(Exception):
    """Base of every error that is shown to a person as one sentence."""


class ScanError(SpineSegError):
    """A file is not a scan that can be segmented (damaged, wrong kind, no geometry)."""


class SeveralScansError(ScanError):
    """A file or folder holds several scans, and none was picked.

    Attributes
    ----------
    what
        What it holds, in words.
    option
        How the first of them is picked on the command line: "--volume 0".
    """

    def __init__(self, name: str, what: str, option: str, how: str) -> None:
        super().__init__(f"{name}: holds {what}; {how}.")
        self.name, self.what, self.option = name, what, option

    def elsewhere(self) -> ScanError:
        """The same, for where there is no such option: how to get a file of the one that is meant."""
        return ScanError(
            f"{self.name}: holds {self.what}, and one is needed; write it to a file of its own, for instance "
            f"with `spineseg preprocess {quote(self.name)} {self.option} --step reorient -o DIR`."
        )


class OutputError(SpineSegError):
    """A result cannot be written where it was asked for."""


class ModelError(SpineSegError):
    """A model is unknown, damaged, or does not fit the job."""


class SettingsError(SpineSegError):
    """A setting is out of range or two settings contradict each other."""


class DatasetError(SpineSegError):
    """A training or evaluation folder is not laid out as expected."""


class StoreError(SpineSegError):
    """A corrections store or registry on disk cannot be read or written."""


class Stopped(SpineSegError):
    """A person asked a running job to stop. Nothing was lost; nothing was written."""
