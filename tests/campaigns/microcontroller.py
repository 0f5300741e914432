"""Run the C export on emulated microcontrollers: python tests/campaigns/microcontroller.py [MODEL] [--digits N]

Each export is linked with a startup of its own, without an operating system, into a program for a Cortex-M4 with a
floating-point unit and one for a Cortex-M3 without, and run by QEMU, which has whole boards with these. The linker
proves that the program fits the flash and the RAM that are given. Stack is what the program has overwritten of a
painted stack. QEMU counts instructions (-icount): SysTick, which has 25 MHz there, counts one for 40 of them; the
cycles of a real chip are more, since it waits for its flash. Ends with status 1 where a class is not that of the same
C code on this machine.

Needs gcc, gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenet_gpu import LeNet5, load_dataset
from lenet_gpu.export import export_network

KIB = 1024
A_TICK = 40  # instructions, of 1 ns each with -icount shift=0, in a tick of 25 MHz
RESULT = Path(__file__).resolve().parents[1] / "benchmarks/results/microcontroller.json"


@dataclass
class Board:
    """A board that QEMU has."""

    machine: str
    core: str
    flags: tuple[str, ...]


BOARDS = (
    Board("mps2-an386", "Cortex-M4, FPU", ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")),
    Board("mps2-an385", "Cortex-M3", ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft")),
)

ROOM = {True: (96, 16), False: (288, 20)}
"""KiB of flash and of RAM that a program must fit, by whether it is in whole numbers."""

LINKER = """
ENTRY(reset)
MEMORY { FLASH (rx) : ORIGIN = 0, LENGTH = @FLASH@K  RAM (rw) : ORIGIN = 0x20000000, LENGTH = @RAM@K }
_stack_top = ORIGIN(RAM) + LENGTH(RAM);
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > FLASH
    .ARM.exidx : { *(.ARM.exidx*) } > FLASH
    .data : { _data = .; *(.data*) . = ALIGN(4); _data_end = .; } > RAM AT > FLASH
    _data_load = LOADADDR(.data);
    .bss : { _bss = .; *(.bss*) *(COMMON) . = ALIGN(4); _bss_end = .; } > RAM
    /DISCARD/ : { *(.comment) *(.ARM.attributes) }
}
"""

PROGRAM = r"""
#include <errno.h>
#include "digits.h"

extern uint32_t _stack_top, _data, _data_end, _data_load, _bss, _bss_end;
int main(void);

#define PAINT 0xA5A5A5A5u
#define REGISTER(address) (*(volatile uint32_t *)(address))

static int semihosting(int operation, const void *arguments)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

__attribute__((noreturn)) void reset(void)
{
    REGISTER(0xE000ED88) |= 0xFu << 20; /* the floating-point unit, if there is one */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *from = &_data_load, *to = &_data; to < &_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &_bss; to < &_bss_end; to++) {
        *to = 0;
    }
    uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (uint32_t *to = &_bss_end; to < here - 64; to++) { /* below what memset itself may need */
        *to = PAINT;
    }
    main();
    semihosting(0x18, (void *)0x20026); /* end: ADP_Stopped_ApplicationExit */
    for (;;) {
    }
}

__attribute__((noreturn)) static void fault(void)
{
    semihosting(0x04, "fault\n");
    semihosting(0x18, (void *)0x20024); /* end: ADP_Stopped_InternalError */
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))&_stack_top, reset, fault, fault, fault, fault, fault,
};

static void print_number(uint32_t value)
{
    char text[12], *at = text + sizeof text;
    *--at = 0;
    *--at = '\n';
    do {
        *--at = (char)('0' + value % 10);
    } while (value /= 10);
    semihosting(0x04, at);
}

int *__errno(void) /* what newlib's expf and tanhf may set */
{
    static int number;
    return &number;
}

int main(void)
{
    static uint8_t image[LENET5_PIXELS];
    float probabilities[LENET5_CLASSES];
    const uint32_t name[] = { (uint32_t)"images.bin", 1, 10 };
    const uint32_t file = (uint32_t)semihosting(0x01, name);
    const uint32_t block[] = { file, (uint32_t)image, sizeof image };
    REGISTER(0xE000E014) = 0xFFFFFF; /* SysTick: reload, start */
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 5;
    const uint32_t before = REGISTER(0xE000E018);
    __asm__ volatile("ldr r2, =1000000\n 1: subs r2, #1\n bne 1b" : : : "r2", "cc"); /* 2,000,000 instructions */
    print_number((before - REGISTER(0xE000E018)) & 0xFFFFFF);
    while (semihosting(0x06, block) == 0) {
        const uint32_t start = REGISTER(0xE000E018);
        const int best = lenet5_predict(image, probabilities);
        const uint32_t ticks = (start - REGISTER(0xE000E018)) & 0xFFFFFF;
        print_number((uint32_t)best);
        print_number(ticks);
    }
    const uint32_t *untouched = &_bss_end;
    while (*untouched == PAINT) {
        untouched++;
    }
    print_number((uint32_t)(&_stack_top - untouched) * 4);
    return 0;
}
"""


def table(rows: list[dict[str, Any]]) -> str:
    """The table of docs/howto/deploy.md."""
    lines = ["| export | core | flash | RAM: stack + data | instructions a digit | same answers |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        least, median, most = (row[f"instructions_{name}"] / 1e6 for name in ("least", "median", "most"))
        lines.append(
            f"| C, {row['export']} | {row['core']} | {row['flash_bytes']:,} | {row['stack_bytes']:,} + "
            f"{row['static_ram_bytes']:,} | {median:.3f} million ({least:.3f} to {most:.3f}) | "
            f"{row['same_answers']} of {row['digits']} |"
        )
    return "\n".join(lines)


def sizes(program: Path) -> tuple[int, int]:
    """Bytes of flash and of static RAM."""
    output = subprocess.run(
        ["arm-none-eabi-size", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    text, data, bss = map(int, output[1].split()[:3])
    return text + data, data + bss


def build(folder: Path, board: Board, int8: bool) -> Path:
    """Compile the exported files in the folder for a board."""
    flash, ram = ROOM[int8]
    (folder / "link.ld").write_text(LINKER.replace("@FLASH@", str(flash)).replace("@RAM@", str(ram)))
    (folder / "main.c").write_text(PROGRAM)
    program = folder / "digits.elf"
    strict = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-ffunction-sections", "-fdata-sections")
    command = ["arm-none-eabi-gcc", *board.flags, *strict, "main.c", "digits.c", "-nostartfiles", "-T", "link.ld"]
    subprocess.run([*command, "-Wl,--gc-sections", "-lm", "-o", program], cwd=folder, check=True)
    return program


def emulate(program: Path, board: Board) -> tuple[np.ndarray, np.ndarray, int]:
    """Run the program: the classes it finds, the instructions a digit, and the stack in bytes."""
    command = ["qemu-system-arm", "-M", board.machine, "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
    done = subprocess.run(
        command,
        cwd=program.parent,
        capture_output=True,
        text=True,
        timeout=3600,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    known, *numbers = [int(line) for line in (done.stdout + done.stderr).split()]
    assert abs(known * A_TICK - 2_000_000) < 1_000, known  # a loop whose instructions are counted by hand
    return np.array(numbers[:-1:2]), np.array(numbers[1:-1:2]) * A_TICK, numbers[-1]


def on_this_machine(folder: Path, images: np.ndarray) -> np.ndarray:
    """The classes that the same C code finds here."""
    library = folder / "digits.so"
    subprocess.run(
        ["gcc", "-std=c99", "-O2", "-shared", "-fPIC", "digits.c", "-lm", "-o", library], cwd=folder, check=True
    )
    predict, found = ctypes.CDLL(str(library)).lenet5_predict, np.empty(10, np.float32)
    to = found.ctypes.data_as(ctypes.c_void_p)
    return np.array([predict(image.ctypes.data_as(ctypes.c_void_p), to) for image in images])


def campaign(model: LeNet5, digits: int, folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """Run both exports on all boards: what was found, and whether all answers are the same."""
    data = load_dataset("mnist", download=False, progress=False)
    images, labels = data.test.images[:digits], data.test.labels[:digits]
    rows, same = [], True
    for int8 in (True, False):
        export_network(model, "c", folder / "digits.c", int8=int8, calibration=data.train.images, force=True)
        expected = on_this_machine(folder, images)
        (folder / "images.bin").write_bytes(images.tobytes())
        for board in BOARDS:
            program = build(folder, board, int8)
            flash, static = sizes(program)
            found, instructions, stack = emulate(program, board)
            agree = int((found == expected).sum())
            same &= agree == digits
            row = {
                "export": "int8" if int8 else "float", "core": board.core, "board": board.machine,
                "digits": digits, "same_answers": agree, "errors": int((found != labels).sum()),
                "flash_bytes": flash, "static_ram_bytes": static, "stack_bytes": stack,
                "instructions_median": int(statistics.median(instructions)),
                "instructions_least": int(instructions.min()), "instructions_most": int(instructions.max()),
            }  # fmt: skip
            rows.append(row)
            print(json.dumps(row), flush=True)
    print(table(rows))
    return rows, same


def version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="mnist")
    parser.add_argument("--digits", type=int, default=200, help="the first so many of MNIST's test digits")
    parser.add_argument("--keep", action="store_true", help=f"write the result to {RESULT.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, same = campaign(LeNet5.load(options.model), options.digits, Path(folder))
    if options.keep:
        tools = {name: version(name) for name in ("arm-none-eabi-gcc", "qemu-system-arm")}
        RESULT.write_text(json.dumps({"model": options.model, "tools": tools, "rows": rows}, indent=1) + "\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
