"""For tools that talk to a pty in tests: ptys have no parity and no modem lines, so these settings are left out."""

from __future__ import annotations

import serial

serial.Serial._update_dtr_state = lambda self: None
serial.Serial._update_rts_state = lambda self: None
_configure = serial.Serial._reconfigure_port


def _without_parity(self: serial.Serial, *arguments: object, **named: object) -> None:
    self._parity = serial.PARITY_NONE
    _configure(self, *arguments, **named)


serial.Serial._reconfigure_port = _without_parity
