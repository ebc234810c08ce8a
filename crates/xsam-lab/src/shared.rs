//! Data that several runs of a process use.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// What was loaded for one run and is the same for the next, such as those of a comparison: loaded once.
#[derive(Debug, Default)]
pub struct Shared {
    held: Mutex<Option<(String, Arc<dyn Any + Send + Sync>)>>,
}

impl Shared {
    /// What `load` gives, or what it gave before under the same `key`, which says all that decides it. One value is held
    /// at a time.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn get_or<T: Send + Sync + 'static, E>(
        &self,
        key: &str,
        load: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = held.as_ref()
            && known == key
            && let Ok(value) = value.clone().downcast::<T>()
        {
            return Ok(value);
        }
        // Not two at a time in memory.
        *held = None;
        let value = Arc::new(load()?);
        *held = Some((key.to_owned(), value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_has_the_same_key_is_loaded_once() {
        let shared = Shared::default();
        let load = |value: u32| move || Ok::<_, ()>(value);
        assert_eq!(*shared.get_or("a", load(1)).unwrap(), 1);
        assert_eq!(*shared.get_or("a", load(2)).unwrap(), 1);
        assert_eq!(*shared.get_or("b", load(3)).unwrap(), 3);
        assert_eq!(*shared.get_or("a", load(4)).unwrap(), 4);
        assert!(shared.get_or("c", || Err::<u32, _>(())).is_err());
    }
}
