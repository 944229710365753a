//! State that the protocols keep for one server, which knows none of them.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// At most one value of each type.
#[derive(Default)]
pub(crate) struct Shared(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// Returns the value of a type, and creates it if there is none.
    pub(crate) fn get<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // A value stands under its own type.
        Arc::clone(value).downcast().unwrap_or_default()
    }

    /// Returns the value of a type, if there is one.
    #[cfg(feature = "oidc")]
    pub(crate) fn find<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.get(&TypeId::of::<T>())?).downcast().ok()
    }

    /// Keeps a value.
    #[cfg(feature = "oidc")]
    pub(crate) fn keep<T: Any + Send + Sync>(&self, value: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(TypeId::of::<T>(), Arc::new(value));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
