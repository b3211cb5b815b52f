"""A conversation with a board that holds a build's model: samples in, outputs and ticks out, whatever the line does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.device.client import DeviceClient, DeviceMemory, DeviceTensor, RefusedError, Status
from tinyforge.device.result import Array, LayerProfile, Progress, RunResult, highest, pack_samples, unpack_outputs
from tinyforge.device.sample_log import Sample, SampleLog
from tinyforge.errors import DeviceError

PAINTS = (0xA5, 0x5A)
_ATTEMPTS = 10
_T = TypeVar("_T")


def run_client(
    client: DeviceClient,
    info: BuildInfo,
    inputs: Sequence[Array],
    progress: Progress | None = None,
    *,
    profile: bool = False,
    log: SampleLog | None = None,
) -> RunResult:
    """Run samples over an open connection. The first one runs twice, over two arena paints; the profile is that of
    the second. log: keeps what comes, and knows what came in an earlier run; such samples do not run again, except
    for the first. Raises DeviceError where the board stays silent, faults, or holds another model."""
    samples = pack_samples(info, inputs)
    session = Session(client, info)
    painted = [session.painted(samples[0], paint) for paint in PAINTS]
    layers = session.profile(samples[0]) if profile else ()
    first = painted[-1][0]
    done = [first]
    if log is not None:
        log.check_first(first)
    for number, sample in enumerate(samples[1:], start=1):
        if progress is not None:
            progress(number, len(samples))
        known = log.get(number) if log is not None else None
        done.append(known or session.sample(sample))
        if log is not None and known is None:
            log.add(number, done[-1])
    if progress is not None:
        progress(len(samples), len(samples))
    counts = session.hello.cycle_source != "none"
    return RunResult(
        runner="board",
        compiler="",
        outputs=unpack_outputs(info, [sample.outputs for sample in done]),
        samples=len(samples),
        cycles=first.ticks if counts else None,
        arenas_high_water_bytes=highest([memory.parts_high_water for _, memory in painted]),
        stack_high_water_bytes=max(memory.stack_high_water for _, memory in painted),
        layers=layers,
        latencies=tuple(sample.ticks for sample in done) if counts else (),
        latency_hz=session.hello.cycle_hz if counts else 0,
    )


class Session:
    """The board's model is checked once; a board that lost its state (a reset, a bad line) gets the sample again."""

    def __init__(self, client: DeviceClient, info: BuildInfo) -> None:
        self._client, self._info = client, info
        self.hello = client.hello()
        self._check_model()

    def _check_model(self) -> None:
        """The device must hold exactly the model of this build."""
        info, hello = self._info, self.hello
        expected = info.digest[:64].ljust(64, "0")
        if (hello.name, hello.digest) != (info.name, expected):
            raise DeviceError(
                f"the board holds {hello.name} {hello.digest[:12]}, this build is {info.name} {expected[:12]}; "
                "flash it with: tinyforge flash"
            )
        wanted = [*info.inputs, *info.outputs]
        found: list[DeviceTensor] = [self._client.tensor(i) for i in range(hello.inputs + hello.outputs)]
        for tensor, device in zip(wanted, found, strict=True):
            if (tensor.dtype, tensor.nbytes, tensor.shape) != (device.dtype, device.nbytes, device.shape):
                raise DeviceError(f"the board describes {tensor.name} otherwise than this build does; flash it again")

    def sample(self, data: Sequence[bytes]) -> Sample:
        """Outputs and ticks of one inference. data: raw bytes of every input."""
        return self._again(lambda: self._run(data))

    def painted(self, data: Sequence[bytes], paint: int) -> tuple[Sample, DeviceMemory]:
        """The same over an arena filled with `paint`, and the memory it took."""

        def run() -> tuple[Sample, DeviceMemory]:
            self._client.paint(paint)
            return self._run(data), self._client.memory()

        return self._again(run)

    def profile(self, data: Sequence[bytes]) -> tuple[LayerProfile, ...]:
        """Ticks of every operator, in an inference made for it where the board does not know them any more."""
        operators = self._info.operators
        try:
            ticks = self._client.profile()
        except RefusedError:
            self._client.hello()  # a reset just now, or firmware that counts nothing: run, and ask again
            self.sample(data)
            try:
                ticks = self._client.profile()
            except RefusedError as refused:
                raise DeviceError(
                    f"{self._info.name}: this firmware counts no operators; flash it with: --profile"
                ) from refused
        if len(ticks) != len(operators):
            raise DeviceError(
                f"the board counts {len(ticks)} operators, this build has {len(operators)}; flash it again"
            )
        return tuple(
            LayerProfile(op.index, op.name, op.kind, op.symbol, 0, cycles=spent)
            for op, spent in zip(operators, ticks, strict=True)
        )

    def _run(self, data: Sequence[bytes]) -> Sample:
        client, info = self._client, self._info
        if self.hello.row_bytes:
            client.feed_input(data[0])
        else:
            for number, values in enumerate(data):
                client.write_input(number, values)
        ticks = client.invoke()
        outputs = [client.read_tensor(self.hello.inputs + i, tensor.nbytes) for i, tensor in enumerate(info.outputs)]
        return Sample(outputs, ticks)

    def _again(self, work: Callable[[], _T]) -> _T:
        """`work`, from its begin where the board does not know what went before."""
        for _ in range(_ATTEMPTS):
            try:
                return work()
            except RefusedError as refused:
                if refused.status != Status.BAD_STATE:
                    raise
                self._client.hello()
        raise DeviceError(
            f"the board lost its state {_ATTEMPTS} times in one sample: does it reset (watchdog, supply, loose cable)?"
        )
