//! Countries, networks and actors of sources, as last loaded. A capture owns the cell and replaces its content; others read it.

use std::sync::{Arc, PoisonError, RwLock};

use teiten_aggregator::origin::Origins;

/// The cell.
#[derive(Debug)]
pub struct OriginsCell(RwLock<Arc<Origins>>);

impl OriginsCell {
    /// A cell with the first lists.
    #[must_use]
    pub fn new(origins: Arc<Origins>) -> Self {
        OriginsCell(RwLock::new(origins))
    }

    /// The lists that hold now.
    #[must_use]
    pub fn load(&self) -> Arc<Origins> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these hold.
    pub fn replace(&self, origins: Arc<Origins>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = origins;
    }
}
