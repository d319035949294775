"""A batch while it comes in: its pictures go to the photo folder, its entries are held until all are there."""

import contextlib
import hashlib
import json
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
        about = (batch.policy, batch.source, batch.webhook, batch.listing_id, folders)
        self._digest = hashlib.sha256(json.dumps(about).encode())

    def add(self, member: Member) -> None:
        """One picture; raises ``too_many_files``, ``too_many_bytes`` or ``store_unavailable``."""
        self._bytes += len(member.data)
        if self._bytes > self._bounds.total:
            raise too_many_bytes(self._bounds.total)
        if member.refusal is None:
            self._photos.write(self.batch.id, len(self.entries), member.data)
        listing = folder_listing(member.name) if self._folders else None
        entry = Entry(shown(member.name), listing, refusal=member.refusal, photo=member.refusal is None)
        self.enter(entry, member.data)

    def enter(self, entry: Entry, data: bytes = b"") -> None:
        """One entry, of the batch's listing if it names none; raises ``too_many_files``."""
        if len(self.entries) >= self._bounds.files:
            raise too_many_files(self._bounds.files)
        if self.batch.key is not None:
            told = (entry.name, entry.listing_id, entry.url, entry.refusal, hashlib.sha256(data).hexdigest())
            self._digest.update(json.dumps(told).encode())
        self.entries.append(entry if entry.listing_id else replace(entry, listing_id=self.batch.listing_id))

    def keep(self, batches: Batches) -> Batch:
        """Make the batch, or remove its photos; raises ``no_image`` when it is empty, ``idempotency_key_reused`` and
        ``store_unavailable``. A batch that a request of its key has made already is returned instead.

        Nobody else may remove them from then on: who waits for this may be cut off while the batch is made.
        """
        if not self.entries:
            raise FaunalensError(ErrorCode.NO_IMAGE, "There is no picture in the batch.")
        try:
            made = batches.add(self.batch, self.entries, self._digest.hexdigest())
        except FaunalensError:
            # it is there if only the answer to the commit was lost; where nobody can tell, photos are swept later
            if found := batches.find(self.batch.id):
                return found
            self.drop()
            raise
        if made.id != self.batch.id:
            self.drop()
        return made

    def drop(self) -> None:
        """Remove what was stored; what cannot be removed now is swept later."""
        with contextlib.suppress(OSError):
            self._photos.delete_batch(self.batch.id)
