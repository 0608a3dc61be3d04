"""WebSocket frames (RFC 6455) in a stream that is passed on as it is: checked, and looked at where a message matters.

Nothing is changed, and nothing is kept but the few messages that somebody wants to see: of all others the beginning is
looked at, and the rest is counted. There are no extensions, as none are offered to providers.
"""

from enum import Enum, auto
from typing import Final, Protocol

from services.domain.exchange.captured_body import CapturedBody, CaptureSpace

PEEK_BYTES: Final = 512  # of a text message, by which it is decided whether it is wanted
SEEN_BYTES: Final = 4 * 2**20  # a larger message is not returned, wanted or not

GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
BAD_GATEWAY: Final = 1014

_FIN: Final = 0x80
_RESERVED: Final = 0x70
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES: Final = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_MAX_CONTROL_BYTES: Final = 125
_LENGTH_BYTES: Final = {126: 2, 127: 8}  # behind the first two, by the length that stands in those
_MASK_BYTES: Final = 4


class InvalidFrame(Exception):
    """What comes is no valid WebSocket stream, or more than it may be. Nothing behind it can be understood."""

    def __init__(self, code: int, reason: str) -> None:
        """`code` is the one to close with."""
        super().__init__(reason)
        self.code = code


class Attention(Enum):
    """What is done with the message that comes."""

    PEEKING = auto()  # its beginning is collected, to decide
    TAKING = auto()  # all of it is collected
    SKIPPING = auto()


class Observer(Protocol):
    """Who looks at the text messages of one direction, in their order."""

    def wants(self, start: bytes) -> bool:
        """By its first bytes, whether a message is to be collected."""
        ...

    def message(self, message: bytes) -> None:
        """One of those, whole."""
        ...

    def left_out(self) -> None:
        """One of those was too large, or there was no memory for it."""
        ...


class FrameReader:
    """Follows one direction of a connection."""

    __slots__ = (
        "_attention",
        "_final",
        "_head",
        "_left_bytes",
        "_mask",
        "_masked",
        "_max_message_bytes",
        "_message_bytes",
        "_observer",
        "_opcode",
        "_peeked",
        "_space",
        "_taken",
        "closed",
        "in_message",
    )

    def __init__(self, observer: Observer | None, *, masked: bool, max_message_bytes: int, space: CaptureSpace) -> None:
        """`masked`: as all that clients send is. What `observer` wants takes memory from `space` while it comes."""
        self._masked = masked
        self._max_message_bytes = max_message_bytes
        self._observer = observer
        self._space = space
        self._head = bytearray()  # of a frame, while it is not complete
        self._opcode = _CONTINUATION
        self._final = True
        self._mask = b""  # rotated to the next byte
        self._left_bytes = 0  # of the frame's payload
        self._message_bytes = 0  # of the frames so far
        self._attention = Attention.SKIPPING
        self._peeked = bytearray()
        self._taken: CapturedBody | None = None
        self.in_message = False  # a message has begun whose last frame has not
        self.closed = False  # a close frame has come

    @property
    def at_boundary(self) -> bool:
        """Whether a control frame may be put in here."""
        return not self._head and not self._left_bytes

    def feed(self, data: bytes) -> None:
        """Raises: InvalidFrame."""
        position, end = 0, len(data)
        while position < end and not self.closed:
            if self._left_bytes:
                stop = min(end, position + self._left_bytes)
                self._payload(data, position, stop)
                position = stop
            else:
                position = self._frame_head(data, position)

    def release(self) -> None:
        """Nothing more comes: what was collected of a message is given up."""
        if self._taken is not None:
            self._taken.take()
            self._taken = None

    # Heads

    def _frame_head(self, data: bytes, position: int) -> int:
        """The position behind what belongs to a frame's head."""
        head = self._head
        while True:
            missing = self._head_bytes() - len(head)
            if missing == 0:
                break
            piece = data[position : position + missing]
            head += piece
            position += len(piece)
            if len(piece) < missing:
                return position
        self._begin_frame()
        head.clear()
        if not self._left_bytes:
            self._end_frame()
        return position

    def _head_bytes(self) -> int:
        """How long the frame's head is, as far as it can be known by now."""
        if len(self._head) < 2:
            return 2
        second = self._head[1]
        return 2 + _LENGTH_BYTES.get(second & ~_MASKED, 0) + (_MASK_BYTES if second & _MASKED else 0)

    def _begin_frame(self) -> None:
        head = self._head
        opcode, final, masked = head[0] & 0x0F, bool(head[0] & _FIN), bool(head[1] & _MASKED)
        short = head[1] & ~_MASKED
        length = int.from_bytes(head[2 : 2 + _LENGTH_BYTES[short]]) if short in _LENGTH_BYTES else short
        self._check_head(head[0], opcode, length, final=final, masked=masked)
        self._mask = bytes(head[-_MASK_BYTES:]) if masked else b""
        self._left_bytes = length
        self._opcode, self._final = opcode, final
        if opcode & _CONTROL:
            return
        if opcode != _CONTINUATION:
            self._begin_message(opcode)
        self._message_bytes += length
        if self._message_bytes > self._max_message_bytes:
            raise InvalidFrame(TOO_BIG, f"a message is larger than {self._max_message_bytes} bytes")
        self.in_message = not final

    def _check_head(self, first: int, opcode: int, length: int, *, final: bool, masked: bool) -> None:
        if first & _RESERVED or opcode not in _OPCODES:
            raise InvalidFrame(PROTOCOL_ERROR, "a frame has an unknown opcode or an extension that was not agreed on")
        if masked is not self._masked:
            raise InvalidFrame(PROTOCOL_ERROR, "frames of clients are masked, and those of servers are not")
        if opcode & _CONTROL:
            if length > _MAX_CONTROL_BYTES or not final or (opcode == _CLOSE and length == 1):
                raise InvalidFrame(PROTOCOL_ERROR, "a control frame is too long, in pieces, or has half a code")
        elif (opcode == _CONTINUATION) is not self.in_message:
            raise InvalidFrame(PROTOCOL_ERROR, "a message begins within another one, or goes on that has not begun")
        if length >= 2**63:
            raise InvalidFrame(PROTOCOL_ERROR, "a frame has an impossible length")

    def _begin_message(self, opcode: int) -> None:
        self._message_bytes = 0
        is_looked_at = opcode == _TEXT and self._observer is not None
        self._attention = Attention.PEEKING if is_looked_at else Attention.SKIPPING
        self._peeked.clear()

    # Payloads

    def _payload(self, data: bytes, start: int, stop: int) -> None:
        if self._attention is not Attention.SKIPPING and not self._opcode & _CONTROL:
            self._look(data, start, stop)
        if self._mask:
            turn = (stop - start) % _MASK_BYTES
            self._mask = self._mask[turn:] + self._mask[:turn]
        self._left_bytes -= stop - start
        if not self._left_bytes:
            self._end_frame()

    def _look(self, data: bytes, start: int, stop: int) -> None:
        """Only what is needed to decide is unmasked, unless all is wanted."""
        if self._attention is Attention.PEEKING:
            until = min(stop, start + PEEK_BYTES - len(self._peeked))
            self._peeked += self._plain(data[start:until], 0)
            if len(self._peeked) < PEEK_BYTES:
                return
            self._decide()
            if self._taken is not None:
                self._taken.add(self._plain(data[until:stop], until - start))
        elif self._taken is not None:
            self._taken.add(self._plain(data[start:stop], 0))

    def _plain(self, piece: bytes, offset: int) -> bytes:
        """`piece`, which begins `offset` bytes behind where the mask stands, without its mask."""
        if not self._mask or not piece:
            return piece
        turn = offset % _MASK_BYTES
        mask = (self._mask[turn:] + self._mask[:turn]) * (len(piece) // _MASK_BYTES + 1)
        return (int.from_bytes(piece) ^ int.from_bytes(mask[: len(piece)])).to_bytes(len(piece))

    def _decide(self) -> None:
        peeked = bytes(self._peeked)
        if self._observer is not None and self._observer.wants(peeked):
            self._attention = Attention.TAKING
            self._taken = CapturedBody(SEEN_BYTES, self._space)
            self._taken.add(peeked)
        else:
            self._attention = Attention.SKIPPING

    def _end_frame(self) -> None:
        if self._opcode & _CONTROL:
            self.closed = self._opcode == _CLOSE
            return
        if not self._final:
            return
        if self._attention is Attention.PEEKING:
            self._decide()
        if self._taken is not None:
            whole = not (self._taken.dropped or self._taken.truncated)
            message, _ = self._taken.take()
            self._taken = None
            if self._observer is None:
                return
            if whole:
                self._observer.message(message)
            else:
                self._observer.left_out()


def close_frame(code: int, reason: str, mask: bytes = b"") -> bytes:
    """To a provider with four random bytes as its `mask`, to a client without. A reason that is too long is cut."""
    cut = reason.encode()[: _MAX_CONTROL_BYTES - 2].decode(errors="ignore")
    return _control_frame(_CLOSE, code.to_bytes(2) + cut.encode(), mask)


def ping_frame(mask: bytes = b"") -> bytes:
    """Likewise. Its pong may be passed on: one that nobody asked for is allowed."""
    return _control_frame(_PING, b"", mask)


def _control_frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    if mask:
        payload = mask + bytes(byte ^ mask[place % _MASK_BYTES] for place, byte in enumerate(payload))
        return bytes([_FIN | opcode, _MASKED | len(payload) - _MASK_BYTES]) + payload
    return bytes([_FIN | opcode, len(payload)]) + payload
