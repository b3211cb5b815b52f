"""``--port auto``: the serial port whose device holds a build's model."""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.device.client import DeviceClient, Hello
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError

AUTO = "auto"
_ANSWER_S = 0.7
_ATTEMPTS = 3


def serial_ports() -> list[str]:
    """Ports of devices on USB, in the order of their names."""
    from serial.tools import list_ports

    return sorted(str(port.device) for port in list_ports.comports() if port.vid is not None)


def find_port(info: BuildInfo, baud: int, ports: Sequence[str] | None = None) -> str:
    """The one port of ``ports`` (default: all on USB) that answers with the model of ``info``.

    Every port is asked, as any probe may carry any board. Raises DeviceError with what each said where none holds the
    model, or several do.
    """
    candidates = serial_ports() if ports is None else ports
    if not candidates:
        raise DeviceError("no serial port on USB; connect the board, or name its port with --port")
    answers = {port: _greeting(port, baud) for port in candidates}
    wanted = (info.name, info.digest[:64].ljust(64, "0"))
    found = [
        port for port, hello in answers.items() if isinstance(hello, Hello) and (hello.name, hello.digest) == wanted
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise DeviceError(f"{' and '.join(found)} both hold {info.name}; name one with --port")
    said = "; ".join(f"{port}: {_words(answer)}" for port, answer in answers.items())
    raise DeviceError(f"no port answers for {info.name} ({said}); flash it with: tinyforge flash")


def _greeting(port: str, baud: int) -> Hello | str:
    """What is behind a port, or why nothing is known of it."""
    try:
        client = DeviceClient(SerialTransport(port, baud), reply_s=_ANSWER_S, attempts=_ATTEMPTS)
    except DeviceError as error:
        return str(error)
    try:
        return client.hello()
    except DeviceError:
        return "no answer"
    finally:
        client.close()


def _words(answer: Hello | str) -> str:
    return f"holds {answer.name} {answer.digest[:12]}" if isinstance(answer, Hello) else answer
