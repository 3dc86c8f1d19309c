//! The size bounds of reports, each with its reason, and how sizes are measured.

/// A chunk object as etcd stores it stays below this (design §3.5). etcd refuses requests over 1.5 MiB, and what readers list
/// and watchers receive should come in small pieces.
pub const CHUNK_LIMIT: usize = 400 * 1024;

/// Room for everything in a chunk object but `data`: name and namespace (≤ 316), owner reference and report reference
/// (≤ 900 with the longest names), labels, annotations, managed fields (about 1 KiB).
pub const CHUNK_OVERHEAD: usize = 8 * 1024;

/// What `data` of a chunk may take, measured as stored.
pub const DATA_LIMIT: usize = CHUNK_LIMIT - CHUNK_OVERHEAD;

/// `AuditReport.status` stays below this (operator-conventions §2.4, 1).
pub const STATUS_LIMIT: usize = 48 * 1024;

/// Room in the status for `observedGeneration` and the five conditions, whose messages the operator cuts at 1,024 bytes.
pub const CONDITIONS_ROOM: usize = 7 * 1024;

/// What a [`ReportDocument`](crate::model::ReportDocument) may take, measured as stored.
pub const DOCUMENT_LIMIT: usize = STATUS_LIMIT - CONDITIONS_ROOM;

/// Most buckets, so most chunks, of a report. The manifest names every chunk in the status, where 128 names take 15 KiB.
pub const MAX_BUCKETS: u32 = 128;

/// All chunks of a report together. etcd's default quota is 2 GiB: 50 reports at their largest leave it a fifth, and two thirds of what
/// [`MAX_BUCKETS`] full chunks could hold leave the hash room to be uneven. Holds about 250,000 findings as gzip.
pub const TOTAL_LIMIT: usize = 32 * 1024 * 1024;

/// JSON text of one chunk, at most: what [`decode`](super::decode) is ready to unpack, so that a made-up chunk cannot exhaust memory.
pub const TEXT_LIMIT: usize = 32 * 1024 * 1024;

/// Above this much JSON a report is written as gzip unless the settings say otherwise: 16 MiB are still read by `kubectl`
/// and a shell, more is read by programs anyway.
pub const COMPRESS_ABOVE: usize = 16 * 1024 * 1024;

/// How much smaller gzip in base64 is than the JSON text, for the first guess of the bucket count only (measured: 7.6).
pub(super) const COMPRESSION: usize = 6;

/// The bounds of one report's chunks. An argument, so that tests reach every limit with small reports too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// [`DATA_LIMIT`].
    pub data: usize,
    /// [`TOTAL_LIMIT`].
    pub total: usize,
    /// [`MAX_BUCKETS`].
    pub buckets: u32,
}

impl Bounds {
    /// Those of every report that is written.
    pub const REPORT: Self = Self {
        data: DATA_LIMIT,
        total: TOTAL_LIMIT,
        buckets: MAX_BUCKETS,
    };

    /// How full buckets are at first: half, so that growth does not split them at once.
    pub const fn first_fill(&self) -> usize {
        self.data / 2
    }
}

/// Bytes of a text as part of an object in etcd, without quotes. The API server stores custom resources as JSON with `<`, `>`,
/// `&` and the two Unicode line separators escaped, so a text grows there.
pub fn stored_length(text: &str) -> usize {
    text.bytes().map(stored_byte).sum::<usize>() + 3 * separators(text)
}

const fn stored_byte(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        b'<' | b'>' | b'&' | 0..=0x1f => 6,
        _ => 1,
    }
}

/// Bytes of a JSON text that is part of an object in etcd as JSON, not as a string: quotes are not escaped again.
pub(super) fn stored_json_length(json: &str) -> usize {
    let html = json.bytes().filter(|byte| matches!(byte, b'<' | b'>' | b'&')).count();
    json.len() + 5 * html + 3 * separators(json)
}

/// U+2028 and U+2029: three bytes that become six.
fn separators(text: &str) -> usize {
    if text.is_ascii() {
        0
    } else {
        text.matches(['\u{2028}', '\u{2029}']).count()
    }
}

/// The text, cut to `limit` characters with `…` as the last where it is longer.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

/// A count as documents hold it.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
