//! Opens a dataset for publishing: takes the lock, finishes interrupted publications, and reads the identity of the sensor.

use teiten_aggregator::close::Closer;
use teiten_aggregator::store::Store;
use teiten_aggregator::writer::WriteError;

/// Takes a lock (`None` if another program has it) and finishes publications that killed programs had begun.
///
/// # Errors
/// When the dataset cannot be written.
pub(crate) fn open_dataset<L>(
    store: &Store,
    lock: impl FnOnce(&Store) -> std::io::Result<Option<L>>,
) -> Result<Option<L>, WriteError> {
    let Some(lock) = lock(store).map_err(|source| failed(store, source))? else {
        return Ok(None);
    };
    let recovered = store.recover().map_err(|source| failed(store, source))?;
    if recovered.finished > 0 {
        tracing::info!(
            publications = recovered.finished,
            "finished what a program had begun to publish when it was killed"
        );
    }
    if recovered.damaged > 0 {
        tracing::error!(
            publications = recovered.damaged,
            "publications that a program had begun are damaged; they are kept in .teiten/damaged"
        );
    }
    Ok(Some(lock))
}

/// Reads the identity of the sensor from the dataset; a new sensor gets one from `seed`, or a random one.
///
/// # Errors
/// When the dataset cannot be written.
pub(crate) fn identify(closer: &mut Closer, seed: Option<&str>) -> Result<(), WriteError> {
    let store = &closer.store;
    let identity = store.identity(&closer.name.sensor, seed);
    let identity = identity.map_err(|source| failed(store, source))?;
    if let Some(kept) = identity.damaged {
        tracing::error!(
            kept = %kept.display(),
            "the identity of the sensor was damaged; it has a new one from now on, so a merge will ask whether the two are one sensor"
        );
    }
    closer.identity = identity.text;
    Ok(())
}

fn failed(store: &Store, source: std::io::Error) -> WriteError {
    WriteError::File {
        path: store.directory().to_owned(),
        source,
    }
}
