"""A file that mirrors a journal, in memory, to be looked at, damaged, filled, and left in the middle of a write."""

from __future__ import annotations

_PAGE = 4096


class Disk:
    """Keeps what is written as the kernel would, a page at a time.

    After `pages_left` pages nothing is stored any more, as after a SIGKILL; beyond `room` bytes nothing can be. What is
    `gone` is not found by the next process.
    """

    def __init__(self, room: int = 1 << 40) -> None:
        self.image = bytearray()
        self.room = room
        self.pages_left = 1 << 30
        self.gone = False
        self.can_renew = True
        self.writes: list[tuple[int, bytes]] = []  # place and data
        self.renewed = self.looks = 0

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, place: slice) -> bytes:
        return bytes(self.image[place])

    def __setitem__(self, place: slice, data: bytes) -> None:
        self.write(data, place.start)

    def write(self, data: bytes, at: int) -> bool:
        self.writes.append((at, data))
        fits = max(0, min(len(data), self.room - at))
        done = 0
        while done < fits and self.pages_left > 0:
            piece = data[done : min(fits, done + _PAGE - (at + done) % _PAGE)]
            if len(self.image) < at + done:
                self.image.extend(bytes(at + done - len(self.image)))
            self.image[at + done : at + done + len(piece)] = piece
            done += len(piece)
            self.pages_left -= 1
        return fits == len(data)

    def intact(self) -> bool:
        self.looks += 1
        return not self.gone

    def renew(self) -> bool:
        self.renewed += 1
        if self.can_renew:
            self.gone = False
            self.image = bytearray()
        return self.can_renew
