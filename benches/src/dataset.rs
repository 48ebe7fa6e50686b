//! The output of a replay: one hash of all of it, and the packets and bytes in its tables. This module reads Parquet files by column names as
//! any reader does, and shares no code with the programs that write them.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::{Type, TypePtr};
use sha2::{Digest, Sha256};

/// Values read at a time.
const VALUES: usize = 64 << 10;

/// Sums over a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows.
    pub rows: u64,
    /// Packets.
    pub packets: i64,
    /// Bytes on the wire.
    pub bytes: i64,
    /// Parts.
    pub parts: u64,
    /// Size of the parts, bytes.
    pub file_bytes: u64,
}

/// Sums of the table `table` of the dataset in `folder`; zeros where there is no such table.
///
/// # Errors
/// When a part cannot be read.
pub fn sums(folder: &Path, table: &str) -> Result<Sums> {
    let mut sums = Sums::default();
    let folder = folder.join(table);
    if !folder.exists() {
        return Ok(sums);
    }
    for path in parts(&folder)? {
        add_part(&path, &mut sums).with_context(|| path.display().to_string())?;
    }
    Ok(sums)
}

fn add_part(path: &Path, sums: &mut Sums) -> Result<()> {
    let file = File::open(path)?;
    sums.parts += 1;
    sums.file_bytes += file.metadata()?.len();
    let reader = SerializedFileReader::new(file)?;
    let columns = reader.metadata().file_metadata().schema_descr_ptr();
    let place = |name: &str| {
        let place = columns
            .columns()
            .iter()
            .position(|column| column.name() == name);
        place.with_context(|| format!("no column {name}"))
    };
    let (packets, bytes) = (place("packets")?, place("bytes")?);
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index)?;
        sums.rows += group.metadata().num_rows() as u64;
        sums.packets += sum(&*group, packets)?;
        sums.bytes += sum(&*group, bytes)?;
    }
    Ok(())
}

/// Packets and bytes by key: the hash of source, protocol, port, class and traffic type.
pub type Counts = HashMap<u64, (i64, i64)>;

/// Columns of the key, without the hour.
const COUNTED_BY: [&str; 5] = ["src_ip", "protocol", "port", "class", "traffic_type"];

/// The counts of `sources` of the dataset in `folder`, over all hours.
///
/// # Errors
/// When a part cannot be read.
pub fn counts(folder: &Path) -> Result<Counts> {
    let mut counts = Counts::new();
    for path in parts(&folder.join("sources"))? {
        add_counts(&path, &mut counts).with_context(|| path.display().to_string())?;
    }
    Ok(counts)
}

fn add_counts(path: &Path, counts: &mut Counts) -> Result<()> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let schema = reader.metadata().file_metadata().schema().clone();
    let wanted = |name: &str| COUNTED_BY.contains(&name) || ["packets", "bytes"].contains(&name);
    let fields: Vec<TypePtr> = schema
        .get_fields()
        .iter()
        .filter(|field| wanted(field.name()))
        .cloned()
        .collect();
    ensure!(
        fields.len() == COUNTED_BY.len() + 2,
        "the columns of `sources` have other names"
    );
    let projection = Type::group_type_builder(schema.name())
        .with_fields(fields)
        .build()?;
    for row in reader.get_row_iter(Some(projection))? {
        let (mut key, mut count) = (DefaultHasher::new(), (0, 0));
        for (name, field) in row?.get_column_iter() {
            match (name.as_str(), field) {
                ("packets", Field::Long(packets)) => count.0 = *packets,
                ("bytes", Field::Long(bytes)) => count.1 = *bytes,
                (_, Field::Str(text)) => text.hash(&mut key),
                (_, Field::Int(number)) => number.hash(&mut key),
                (_, Field::Null) => u64::MAX.hash(&mut key),
                (name, other) => bail!("{name} is {other:?}"),
            }
        }
        let entry = counts.entry(key.finish()).or_default();
        entry.0 += count.0;
        entry.1 += count.1;
    }
    Ok(())
}

fn sum(group: &dyn RowGroupReader, column: usize) -> Result<i64> {
    let ColumnReader::Int64ColumnReader(mut reader) = group.get_column_reader(column)? else {
        anyhow::bail!("counters are signed 64-bit, this column is not");
    };
    let (mut sum, mut values) = (0, Vec::with_capacity(VALUES));
    loop {
        values.clear();
        let (records, _, _) = reader.read_records(VALUES, None, None, &mut values)?;
        sum += values.iter().sum::<i64>();
        if records == 0 {
            return Ok(sum);
        }
    }
}

/// SHA-256 over the paths and contents of all parts below `folder`, in the order of their paths, lower-case hexadecimal: the same
/// tables give the same text.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn hash(folder: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    for file in parts(folder)? {
        let inner = file.strip_prefix(folder).unwrap_or(&file);
        hash.update(inner.to_string_lossy().as_bytes());
        hash.update(digest(&file)?);
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Reads a file piece by piece, because the peak memory of this program is a lower bound of what is measured for its children.
fn digest(file: &Path) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let (mut file, mut piece) = (File::open(file)?, vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&piece[..read]),
        }
    }
}

/// All Parquet files below a folder, in order.
fn parts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_names_and_contents() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        std::fs::create_dir_all(folder.join("a")).expect("writable");
        let empty = hash(folder).expect("readable");
        std::fs::write(folder.join("a/x.parquet"), b"1").expect("writable");
        let one = hash(folder).expect("readable");
        std::fs::write(folder.join("a/x.parquet"), b"2").expect("writable");
        let two = hash(folder).expect("readable");
        std::fs::rename(folder.join("a/x.parquet"), folder.join("a/y.parquet")).expect("writable");
        let renamed = hash(folder).expect("readable");
        assert!(empty != one && one != two && two != renamed);
    }

    #[test]
    fn a_table_that_is_not_there_holds_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(
            sums(folder.path(), "sources").expect("readable"),
            Sums::default()
        );
    }
}
