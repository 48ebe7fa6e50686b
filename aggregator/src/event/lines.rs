//! Files of lines that a day leaves to the days behind it: compressed, with a first line that names their form, and with a checksum that is
//! compared while they are read.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

/// Compression of the files: each is read once a day.
const ZSTD_LEVEL: i32 = 1;
/// Bytes that are compressed at once: lines are short, and each call of the compressor has its price.
const BUFFER_BYTES: usize = 64 << 10;

/// Writes lines behind the line `form`.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_lines<W: Write, L: Display>(
    file: W,
    form: &str,
    lines: impl Iterator<Item = L>,
) -> io::Result<W> {
    let mut file = zstd::Encoder::new(file, ZSTD_LEVEL)?;
    file.include_checksum(true)?;
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
    writeln!(file, "{form}")?;
    for line in lines {
        writeln!(file, "{line}")?;
    }
    let file = file.into_inner();
    file.map_err(io::IntoInnerError::into_error)?.finish()
}

/// Gives the lines behind the line `form`, each of so many bytes at most, to `take`, which says whether it knows them; `damaged` is the error where
/// they are others.
///
/// # Errors
/// When the file cannot be read, or is damaged.
pub(super) fn read_lines(
    file: impl Read,
    (form, line_bytes_max): (&str, u64),
    damaged: fn() -> io::Error,
    mut take: impl FnMut(&str) -> bool,
) -> io::Result<()> {
    let mut file = BufReader::new(zstd::Decoder::new(file)?);
    let mut line = String::new();
    let mut is_first = true;
    loop {
        line.clear();
        (&mut file).take(line_bytes_max).read_line(&mut line)?;
        let Some(text) = line.strip_suffix('\n') else {
            return match line.is_empty() && !is_first {
                true => Ok(()),
                false => Err(damaged()),
            };
        };
        let is_known = match is_first {
            true => text == form,
            false => take(text),
        };
        if !is_known {
            return Err(damaged());
        }
        is_first = false;
    }
}
