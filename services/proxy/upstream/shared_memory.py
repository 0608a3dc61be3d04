"""Memory for the bodies of all organizations, of which one can hold no more than half."""

from weakref import WeakValueDictionary

from services.domain.exchange.captured_body import CaptureSpace


class Share(CaptureSpace):
    """One organization's. What is free for it is free in the whole, too."""

    __slots__ = ("__weakref__", "_own_bytes", "_whole")

    def __init__(self, whole: CaptureSpace, own_bytes: int) -> None:
        self._whole = whole
        self._own_bytes = own_bytes

    @property
    def free_bytes(self) -> int:
        return min(self._own_bytes, self._whole.free_bytes)

    @free_bytes.setter
    def free_bytes(self, free: int) -> None:
        change = free - self.free_bytes
        self._own_bytes += change
        self._whole.free_bytes += change


class SharedMemory:
    """Belongs to one event loop."""

    def __init__(self, total_bytes: int) -> None:
        self._whole = CaptureSpace(total_bytes)
        self._share_bytes = total_bytes // 2
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()  # of those that hold anything

    def of(self, organization_id: str) -> Share:
        share = self._shares.get(organization_id)
        if share is None:
            share = self._shares[organization_id] = Share(self._whole, self._share_bytes)
        return share
