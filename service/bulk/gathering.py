"""A batch while it comes in: its pictures go to the photo folder, its entries are held until all are there."""

import contextlib
from dataclasses import replace

from service.bulk.archives import Bounds, Member, too_many_bytes, too_many_files
from service.bulk.listings import folder_listing
from service.bulk.manifest import shown
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Batches, Entry, NewBatch
from service.store.photos import Photos
from service.store.tables import Batch


class Gathering:
    """Collects one batch. Nothing is kept of it unless :meth:`keep` is called; before that, :meth:`drop` removes it."""

    def __init__(self, batch: NewBatch, photos: Photos, bounds: Bounds, folders: bool) -> None:
        self.batch = batch
        self._folders = folders
        self.entries: list[Entry] = []
        self._photos = photos
        self._bounds = bounds
        self._bytes = 0

    def add(self, member: Member) -> None:
        """One picture; raises ``too_many_files``, ``too_many_bytes`` or ``store_unavailable``."""
        self._bytes += len(member.data)
        if self._bytes > self._bounds.total:
            raise too_many_bytes(self._bounds.total)
        if member.refusal is None:
            self._photos.write(self.batch.id, len(self.entries), member.data)
        listing = folder_listing(member.name) if self._folders else None
        self.enter(Entry(shown(member.name), listing, refusal=member.refusal, photo=member.refusal is None))

    def enter(self, entry: Entry) -> None:
        """One entry, of the batch's listing if it names none; raises ``too_many_files``."""
        if len(self.entries) >= self._bounds.files:
            raise too_many_files(self._bounds.files)
        self.entries.append(entry if entry.listing_id else replace(entry, listing_id=self.batch.listing_id))

    def keep(self, batches: Batches) -> Batch:
        """Make the batch, or remove its photos; raises ``no_image`` when it is empty, ``store_unavailable``.

        Nobody else may remove them from then on: who waits for this may be cut off while the batch is made.
        """
        if not self.entries:
            raise FaunalensError(ErrorCode.NO_IMAGE, "There is no picture in the batch.")
        try:
            return batches.add(self.batch, self.entries)
        except FaunalensError:
            # it is there if only the answer to the commit was lost; where nobody can tell, photos are swept later
            if made := batches.find(self.batch.id):
                return made
            self.drop()
            raise

    def drop(self) -> None:
        """Remove what was stored; what cannot be removed now is swept later."""
        with contextlib.suppress(OSError):
            self._photos.delete_batch(self.batch.id)
