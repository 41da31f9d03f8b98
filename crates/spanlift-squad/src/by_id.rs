//! What the official files of predictions and null odds hold: a JSON object with a value for each question's id.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;

use crate::{MAX_BYTES, MetricError, file};

/// A value for each question, in the order of the file; `ById<String>` are predictions (empty for no answer),
/// `ById<f64>` null odds.
#[derive(Clone, Debug, PartialEq)]
pub struct ById<T> {
    entries: Vec<(String, T)>,
    places: HashMap<String, usize>,
}

impl<T> ById<T> {
    /// The value of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).map(|&at| &self.entries[at].1)
    }

    /// Puts in a value. An id that is there keeps its place, as in a Python dictionary.
    pub fn insert(&mut self, id: String, value: T) {
        match self.places.get(&id) {
            Some(&at) => self.entries[at].1 = value,
            None => {
                self.places.insert(id.clone(), self.entries.len());
                self.entries.push((id, value));
            }
        }
    }

    /// Ids and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(id, value)| (id.as_str(), value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T> FromIterator<(String, T)> for ById<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(entries: I) -> Self {
        let mut all = Self::default();
        entries
            .into_iter()
            .for_each(|(id, value)| all.insert(id, value));
        all
    }
}

impl<T: Serialize> ById<T> {
    /// The official file.
    ///
    /// # Errors
    ///
    /// None for texts and numbers.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl<T: DeserializeOwned> ById<T> {
    /// Reads an official file, plain, gzip or zstd, of at most [`MAX_BYTES`].
    ///
    /// # Errors
    ///
    /// Where the bytes cannot be had or are no such object.
    pub fn read(reader: impl Read) -> Result<Self, MetricError> {
        let text = file::text(file::unpacked(reader, MAX_BYTES)?)?;
        let mut json = serde_json::Deserializer::from_str(&text);
        let refused = |id, error: serde_json::Error| MetricError::NotById {
            id,
            reason: error.to_string(),
        };
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path();
            let id = (path.iter().len() > 0).then(|| path.to_string());
            let id = id.filter(|_| error.inner().classify() == Category::Data);
            refused(id, error.into_inner())
        })?;
        json.end().map_err(|error| refused(None, error))?;
        Ok(read)
    }
}

impl<T: Serialize> Serialize for ById<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (id, value) in self.iter() {
            map.serialize_entry(id, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ById<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = ById<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a value for each question's id")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ById<T>, A::Error> {
                let mut all = ById::default();
                while let Some((id, value)) = map.next_entry()? {
                    all.insert(id, value);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}
