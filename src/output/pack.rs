//! One pack file a commit: objects are hashed, deltified and compressed in memory and written in one sequence.
//!
//! Format: gitformat-pack(5), pack version 2 and index version 2. Written here rather than by libgit2, because that one
//! compares every object with its neighbours to find deltas and then inflates all of them again to index them; here the
//! best base is known beforehand (the same file of another unit), and so are ids and checksums.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compress, Compression, FlushCompress, Status};
use git2::{ObjectType, Oid};
use rayon::prelude::*;
use sha1::{Digest as _, Sha1};

use super::delta::Base;
use super::fault;
use crate::error::{Error, Result};

/// Beginning of the names of unfinished packs; Git's own housekeeping removes `tmp_*` too.
const UNFINISHED: &str = "tmp_tenantry_";
/// How many bases of one name are tried; more shapes of one manifest than this are rare.
const BASES: usize = 4;
/// Type code of a delta whose base lies earlier in the same pack.
const OFS_DELTA: u8 = 6;

/// Objects of one commit, each once, a base always before its deltas.
#[derive(Debug, Default)]
pub(super) struct Pack {
    objects: Vec<Object>,
    places: HashMap<Oid, usize>,
}

/// A pack's bytes, offset and CRC-32 of every object in them, and the pack's own checksum.
struct Encoded {
    bytes: Vec<u8>,
    offsets: Vec<(u64, u32)>,
    checksum: [u8; 20],
}

/// An object as it will stand in the pack.
#[derive(Debug)]
struct Object {
    oid: Oid,
    /// Type code: 1 commit, 2 tree, 3 blob, 6 delta.
    code: u8,
    /// Size of what was compressed: the object or the delta.
    size: usize,
    /// Place of the delta's base in the same list.
    base: Option<usize>,
    compressed: Box<[u8]>,
}

/// Compresses objects into a pack; keeps its state, since making it anew would cost more than most objects.
#[derive(Debug)]
pub(super) struct Packer {
    pack: Pack,
    deflate: Compress,
    /// Room for one stream; what is kept is cut to its size.
    room: Vec<u8>,
    bases: BTreeMap<Vec<u8>, Vec<(usize, Base)>>,
}

impl Default for Packer {
    fn default() -> Self {
        Self::continuing(Pack::default())
    }
}

impl Packer {
    /// Adds to what is packed already.
    pub(super) fn continuing(pack: Pack) -> Self {
        Self { pack, deflate: Compress::new(Compression::fast(), true), room: Vec::new(), bases: BTreeMap::new() }
    }

    /// Adds an object and returns its id. Objects of one `family` (the same file of different units) are written
    /// against each other.
    pub(super) fn add(&mut self, kind: ObjectType, bytes: &[u8], family: Option<&[u8]>) -> Oid {
        let oid = id(kind, bytes);
        self.add_as(oid, kind, bytes, family);
        oid
    }

    /// Adds an object whose id is known.
    pub(super) fn add_as(&mut self, oid: Oid, kind: ObjectType, bytes: &[u8], family: Option<&[u8]>) {
        if self.pack.places.contains_key(&oid) {
            return;
        }
        let family = family.filter(|_| bytes.len() >= 64);
        if let Some(bases) = family.and_then(|family| self.bases.get(family)) {
            let mut best: Option<(usize, Vec<u8>)> = None;
            for (place, base) in bases.iter().rev() {
                let limit = best.as_ref().map_or(bytes.len() / 2, |(_, delta)| delta.len().saturating_sub(1));
                if let Some(delta) = base.delta(bytes, limit) {
                    best = Some((*place, delta));
                }
                if best.as_ref().is_some_and(|(_, delta)| delta.len() * 6 < bytes.len()) {
                    break;
                }
            }
            if let Some((place, delta)) = best {
                self.push(oid, OFS_DELTA, Some(place), &delta);
                return;
            }
        }
        let place = self.push(oid, code(kind), None, bytes);
        if let Some(family) = family {
            let bases = self.bases.entry(family.to_vec()).or_default();
            if bases.len() < BASES {
                bases.push((place, Base::new(bytes.to_vec())));
            }
        }
    }

    fn push(&mut self, oid: Oid, code: u8, base: Option<usize>, bytes: &[u8]) -> usize {
        let compressed = self.compress(bytes);
        let place = self.pack.objects.len();
        self.pack.objects.push(Object { oid, code, size: bytes.len(), base, compressed });
        self.pack.places.insert(oid, place);
        place
    }

    /// The bytes as a zlib stream (RFC 1950).
    fn compress(&mut self, bytes: &[u8]) -> Box<[u8]> {
        self.deflate.reset();
        self.room.clear();
        self.room.reserve(bytes.len() / 2 + 64);
        loop {
            let done = usize::try_from(self.deflate.total_in()).unwrap_or(bytes.len());
            match self.deflate.compress_vec(&bytes[done..], &mut self.room, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                // No room: the stream goes on where it stopped.
                Ok(_) => self.room.reserve(bytes.len() / 2 + 64),
                Err(error) => unreachable!("a stream that was just reset takes any bytes: {error}"),
            }
        }
        self.room.as_slice().into()
    }

    /// Writes all objects as one pack into `objects/pack`, durably.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        self.pack.write(folder)
    }

    /// Hands the objects over.
    pub(super) fn finish(self) -> Pack {
        self.pack
    }
}

impl Pack {
    /// Takes over the objects of another pack; those it has already are left out.
    pub(super) fn append(&mut self, other: Pack) {
        let mut moved = Vec::with_capacity(other.objects.len());
        for mut object in other.objects {
            let place = match self.places.get(&object.oid) {
                Some(place) => *place,
                None => {
                    object.base = object.base.map(|base| moved[base]);
                    self.places.insert(object.oid, self.objects.len());
                    self.objects.push(object);
                    self.objects.len() - 1
                }
            };
            moved.push(place);
        }
    }

    /// Writes the pack and its index; the index comes last, and makes the objects visible.
    fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(|error| fault::disk("create", folder, &error))?;
        remove_unfinished(folder);
        let Encoded { bytes, offsets, checksum } = self.encode()?;
        let index = self.index(&offsets, checksum);
        let name = hex(&checksum);
        let unfinished = |suffix: &str| folder.join(format!("{UNFINISHED}{name}.{suffix}"));
        let finished = |suffix: &str| folder.join(format!("pack-{name}.{suffix}"));
        let files = [("pack", &bytes), ("idx", &index)];
        // Each waits for the disk, so they wait together.
        let written = files
            .par_iter()
            .try_for_each(|(suffix, bytes)| write_new(&unfinished(suffix), bytes))
            .and_then(|()| files.iter().try_for_each(|(suffix, _)| rename(&unfinished(suffix), &finished(suffix))));
        if let Err(error) = written {
            files.iter().for_each(|(suffix, _)| drop(fs::remove_file(unfinished(suffix))));
            return Err(error);
        }
        sync_folder(folder)
    }

    /// The pack's bytes.
    fn encode(&self) -> Result<Encoded> {
        let count = u32::try_from(self.objects.len()).map_err(|_| Error::internal("too many objects for one pack"))?;
        let room = self.objects.iter().map(|object| object.compressed.len() + 8).sum::<usize>() + 32;
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(b"PACK\0\0\0\x02");
        bytes.extend_from_slice(&count.to_be_bytes());
        let mut offsets: Vec<(u64, u32)> = Vec::with_capacity(self.objects.len());
        for object in &self.objects {
            let start = bytes.len();
            put_header(&mut bytes, object.code, object.size);
            if let Some(base) = object.base {
                put_distance(&mut bytes, start as u64 - offsets[base].0);
            }
            bytes.extend_from_slice(&object.compressed);
            offsets.push((start as u64, crc32fast::hash(&bytes[start..])));
        }
        let checksum: [u8; 20] = Sha1::digest(&bytes).into();
        bytes.extend_from_slice(&checksum);
        Ok(Encoded { bytes, offsets, checksum })
    }

    fn index(&self, offsets: &[(u64, u32)], checksum: [u8; 20]) -> Vec<u8> {
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        order.sort_unstable_by_key(|place| self.objects[*place].oid);
        let mut bytes = Vec::with_capacity(1100 + order.len() * 28);
        bytes.extend_from_slice(b"\xfftOc\0\0\0\x02");
        let mut counts = [0_u32; 256];
        order.iter().for_each(|place| counts[usize::from(self.objects[*place].oid.as_bytes()[0])] += 1);
        let mut total = 0;
        for count in counts {
            total += count;
            bytes.extend_from_slice(&total.to_be_bytes());
        }
        order.iter().for_each(|place| bytes.extend_from_slice(self.objects[*place].oid.as_bytes()));
        order.iter().for_each(|place| bytes.extend_from_slice(&offsets[*place].1.to_be_bytes()));
        let mut large: Vec<u64> = Vec::new();
        for place in &order {
            let offset = offsets[*place].0;
            let short = u32::try_from(offset).ok().filter(|offset| *offset < 1 << 31).unwrap_or_else(|| {
                large.push(offset);
                1 << 31 | (large.len() as u32 - 1)
            });
            bytes.extend_from_slice(&short.to_be_bytes());
        }
        large.iter().for_each(|offset| bytes.extend_from_slice(&offset.to_be_bytes()));
        bytes.extend_from_slice(&checksum);
        let own: [u8; 20] = Sha1::digest(&bytes).into();
        bytes.extend_from_slice(&own);
        bytes
    }
}

/// The id that Git gives an object.
pub(super) fn id(kind: ObjectType, bytes: &[u8]) -> Oid {
    let mut hasher = Sha1::new();
    hasher.update(format!("{} {}\0", kind.str(), bytes.len()));
    hasher.update(bytes);
    let digest: [u8; 20] = hasher.finalize().into();
    Oid::from_bytes(&digest).unwrap_or(Oid::ZERO_SHA1)
}

fn code(kind: ObjectType) -> u8 {
    match kind {
        ObjectType::Commit => 1,
        ObjectType::Tree => 2,
        _ => 3,
    }
}

/// Type and size of an object: four bits of size beside the type, then groups of seven.
fn put_header(bytes: &mut Vec<u8>, code: u8, size: usize) {
    let mut rest = size >> 4;
    let mut byte = code << 4 | (size & 0xf) as u8;
    while rest > 0 {
        bytes.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    bytes.push(byte);
}

/// How far back the base lies: big-endian groups of seven bits, each longer form starting where the shorter ends.
fn put_distance(bytes: &mut Vec<u8>, mut distance: u64) {
    let mut groups = [0_u8; 10];
    let mut place = groups.len() - 1;
    groups[place] = (distance & 0x7f) as u8;
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        place -= 1;
        groups[place] = 0x80 | (distance & 0x7f) as u8;
        distance >>= 7;
    }
    bytes.extend_from_slice(&groups[place..]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Unfinished packs of writers that died; only ever called by the one writer that holds the lock.
fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        // What cannot be removed now is only in the way of nobody.
        let _ = fs::remove_file(entry.path());
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)?;
        file.sync_all()
    });
    written.map_err(|error| fault::disk("write", path, &error))
}

fn rename(from: &PathBuf, to: &PathBuf) -> Result<()> {
    fs::rename(from, to).map_err(|error| fault::disk("rename", from, &error))
}

/// Makes renames in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|opened| opened.sync_all());
    synced.map_err(|error| fault::disk("sync", folder, &error))
}
