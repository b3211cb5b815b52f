"""Running compiled models: on this machine, on an instruction-set emulator, on boards.

    from tinyforge.device.host import run_host
    from tinyforge.device.emulate.run import run_emulator
    from tinyforge.toolchain.firmware import build_firmware
    from tinyforge.target import load_board

    result = run_host(build_dir, [inputs], sanitize=True)              # (samples, *shape) arrays, one a model input
    firmware = build_firmware(build_dir, load_board("emulated_m7"), "zig")
    result = run_emulator(firmware, [inputs])                          # RunResult: outputs, instructions, layers, ...

Or by name, as the command line does: `tinyforge.device.runner.RUNNERS[...]`; boards: `tinyforge.device.board`;
flashing: `tinyforge.device.flash`.

`trace=True` in `run_host` and `build_firmware` fills `RunResult.traces` with every operator's output.
Everything raises DeviceError on faults and ToolMissing when a tool is absent or a source does not compile.
"""
