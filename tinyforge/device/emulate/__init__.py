"""Instruction-set emulation of Cortex-M boards with unicorn."""
