"""What the panel says of Python packages: asks before it installs or removes any."""

from collections.abc import Callable

from slicer.i18n import tr as _

from ..errors import InputError
from .install import Packages, missing, name_of


class PackagesBox:
    """confirm: asks a question; True is yes."""

    def __init__(self, ui, packages: Packages, confirm: Callable[[str], bool]):
        self._ui = ui
        self._packages = packages
        self._confirm = confirm

    def start_missing(self, engine: str) -> bool:
        """Begin to install what an engine lacks; False when it lacks nothing.

        Raises InputError where the user declines.
        """
        wanted = missing(engine)
        if not wanted:
            return False
        listed = ", ".join(map(name_of, wanted))
        question = _("These Python packages are needed and will be installed into Slicer:")
        if not self._confirm(f"{question} {listed}. {_('Continue?')}"):
            raise InputError(f"not installed: {listed}; press Detect again to install them")
        self._packages.start_install(wanted)
        return True

    def start_removal(self, let_go: Callable[[], None]) -> None:
        """Begin to remove what was installed from here, after asking.

        let_go: ends what still uses the packages.
        """
        listed = ", ".join(self._packages.installed_by_us())
        question = _("Remove the packages that were installed from here?")
        if listed and self._confirm(f"{question} {listed}"):
            let_go()
            self._packages.start_removal()

    def refresh(self, idle: bool) -> None:
        """Offer the way back where there is one."""
        ours = self._packages.installed_by_us()
        self._ui.removePackagesButton.setEnabled(bool(ours) and idle)
        tip = ", ".join(ours) or _("Nothing was installed from here.")
        self._ui.removePackagesButton.setToolTip(tip)
