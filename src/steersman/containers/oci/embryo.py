"""A process that is there before it has a program: it waits, in memory that it shares with its maker, until it may execute it.

The first process of a new process namespace has to exist before /proc can be mounted for it, and /proc before its program starts.
A fork of the shim would wait just as well, and cost more than all the rest of a container: its memory has to be copied, and torn
down again. So the process is made like a thread (clone(2) with CLONE_VM), and what it does is a list of system calls, one after the
other: makecontext(3) lays each out as a context, and setcontext(3), with which the process begins, goes from one to the next.

A process that shares memory dies together with all that share it where its control group has none left: arguments larger than a
container's limit would end the shim. The kernel spares one that has only borrowed memory, for which a thread waits (CLONE_VFORK):
a thread of its own, as the maker has things to do meanwhile.

Where its maker is killed it waits for ever, since it has both ends of the pipe that it reads from: who comes next knows it by its
name and ends it. Small imports only. Tried on x86_64 with the GNU C library; `is_possible` says no elsewhere.
"""

import _thread
import ctypes
import os
import platform
import select
import signal
import struct

from steersman.containers import syscalls

_SYS_READ, _SYS_WRITE, _SYS_EXECVE, _SYS_SETSID, _SYS_EXIT_GROUP, _SYS_FSOPEN = 0, 1, 59, 112, 231, 430  # x86_64
_CLOEXEC = 1  # FSOPEN_CLOEXEC
_PROGRAM, _EXIT, _PLACES = 6, 8, 9  # places in the list of calls
_CONTEXT_BYTES, _STACK_BYTES = 1024, 8192  # ucontext_t has 968; a system call needs a few hundred
_LINK_AT = 8  # uc_link, and behind it uc_stack
_ARGUMENTS_MAX = 6  # of a system call
_CLONE_VM, _CLONE_VFORK, _CLONE_PARENT_SETTID = 0x100, 0x4000, 0x100000

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = ctypes.cast(_libc.syscall, ctypes.c_void_p).value


def is_possible() -> bool:
    names = ("clone", "getcontext", "makecontext", "setcontext")
    return platform.machine() == "x86_64" and all(hasattr(_libc, name) for name in names)


if is_possible():  # types that need not be found out at each call
    _libc.getcontext.argtypes = (ctypes.c_void_p,)
    _words = (ctypes.c_long,) * (1 + _ARGUMENTS_MAX)
    _libc.makecontext.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, *_words)


class Died(OSError):
    """The process has ended before its time: somebody killed it, or its program could not be executed."""


class Embryo:
    """Made by a thread that has its own table of descriptors, into that thread's namespaces and groups; root, working directory and
    descriptors are shared with it until `run`. A context manager: what has not come to run by its end is killed."""

    def __init__(self, *, own_processes: bool) -> None:
        """`own_processes`: in a process namespace of its own."""
        self._awake, self._go, self._result = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        self._kept: list[object] = []  # what the process reads from: it must outlive the call
        self._byte = ctypes.create_string_buffer(b"!", 1)
        self._contexts = ctypes.create_string_buffer(_PLACES * _CONTEXT_BYTES + 16)
        self._stacks = ctypes.create_string_buffer(_PLACES * _STACK_BYTES)
        self._has_run = False
        self._failure = "it was killed"
        self._lay_all()
        number = ctypes.c_int(0)
        _thread.start_new_thread(self._lend, (number, own_processes))
        self._wait()
        self.pid = number.value
        self._end = os.pidfd_open(self.pid)
        # a context of proc's for the process's own namespace, which it asks for now
        self.proc = self._next_descriptor()
        os.write(self._go[1], b"+")
        try:
            self._wait()
        except Died:
            self.__exit__()
            raise

    def _lay_all(self) -> None:
        byte, proc = ctypes.addressof(self._byte), self._text(b"proc")
        self._lay(0, _SYS_WRITE, self._awake[1], byte, 1)
        self._lay(1, _SYS_READ, self._go[0], byte, 1)
        self._lay(2, _SYS_FSOPEN, proc, _CLOEXEC)
        self._lay(3, _SYS_WRITE, self._awake[1], byte, 1)
        self._lay(4, _SYS_READ, self._go[0], byte, 1)
        self._lay(5, _SYS_SETSID)
        self._lay(_PROGRAM + 1, _SYS_WRITE, self._result[1], byte, 1)
        self._lay(_EXIT, _SYS_EXIT_GROUP, 127)

    def __enter__(self) -> "Embryo":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._has_run:
            signal.pidfd_send_signal(self._end, signal.SIGKILL)
            select.select([self._end], [], [])  # it reads our memory until then

    def run(self, program: bytes, arguments: list[bytes], environment: list[bytes]) -> None:
        """Returns when the program runs. Raises Died."""
        unmasked = signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._lay(_PROGRAM, _SYS_EXECVE, self._text(program), self._texts(arguments), self._texts(environment))
        signal.pthread_sigmask(signal.SIG_SETMASK, unmasked)
        syscalls.unshare(syscalls.CLONE_FILES | syscalls.CLONE_FS)
        # The process and the thread that lends it memory have it still, until the program is executed.
        os.close(self._result[1])
        os.write(self._go[1], b"+")
        if os.read(self._result[0], 1):
            raise Died("its program cannot be executed")
        self._has_run = True

    @property
    def descriptors(self) -> set[int]:
        """That have to stay open until it runs."""
        return {*self._awake, *self._go, *self._result, self._end}

    def _wait(self) -> None:
        if os.read(self._awake[0], 1) == b"-":
            raise Died(self._failure)

    def _lend(self, number: ctypes.c_int, own_processes: bool) -> None:
        """A thread that does nothing else; it has everything from the maker, also its table of descriptors (until `run`)."""
        try:
            if own_processes:
                syscalls.unshare(syscalls.CLONE_NEWPID)
            self._clone(number)
        except OSError as failed:
            self._failure = str(failed)
        finally:
            os.write(self._awake[1], b"-")
            os.close(self._result[1])

    def _clone(self, number: ctypes.c_int) -> None:
        """Returns when the process has executed its program, or is dead."""
        stack = ctypes.create_string_buffer(_STACK_BYTES)
        self._kept.append(stack)
        top = (ctypes.addressof(stack) + _STACK_BYTES) & ~15
        borrows = _CLONE_VM | _CLONE_VFORK | syscalls.CLONE_FS | syscalls.CLONE_FILES
        flags = borrows | _CLONE_PARENT_SETTID | signal.SIGCHLD
        begin = ctypes.cast(_libc.setcontext, ctypes.c_void_p)
        first = ctypes.c_void_p(self._at(0))
        syscalls.checked(_libc.clone, begin, ctypes.c_void_p(top), flags, first, ctypes.byref(number))

    def _lay(self, place: int, number: int, *arguments: int) -> None:
        """The context at `place`: a system call, and then the next one. Its signal mask is the thread's now."""
        context, stack = self._at(place), ctypes.addressof(self._stacks) + place * _STACK_BYTES
        syscalls.checked(_libc.getcontext, context)
        following = self._at(place + 1) if place + 1 < _PLACES else 0
        at = context - ctypes.addressof(self._contexts) + _LINK_AT
        struct.pack_into("=QQQQ", self._contexts, at, following, stack, 0, _STACK_BYTES)
        words = (number, *arguments, *(0,) * (_ARGUMENTS_MAX - len(arguments)))
        _libc.makecontext(context, _syscall, len(words), *words)

    def _at(self, place: int) -> int:
        return ((ctypes.addressof(self._contexts) + 15) & ~15) + place * _CONTEXT_BYTES

    def _text(self, text: bytes) -> int:
        kept = ctypes.create_string_buffer(text)
        self._kept.append(kept)
        return ctypes.addressof(kept)

    def _texts(self, texts: list[bytes]) -> int:
        kept = (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
        self._kept.append(kept)
        return ctypes.addressof(kept)

    @staticmethod
    def _next_descriptor() -> int:
        fd = os.dup(0)
        os.close(fd)
        return fd
