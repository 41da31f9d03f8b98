//! A value of a column and its form in Parquet: leaves with, for lists and nulls, how deep each was reached.
//!
//! Parquet keeps a nested value as its leaves, one behind the other, each with two levels (Melnik et al. 2010, Dremel, VLDB 3,
//! section 4): *repetition*, the depth of the list in which it is a further entry (0: a new row), and *definition*, how many of
//! the optional and repeated fields above it are there. Lists themselves are never null here, so that `(L, S)` numbers have
//! definition 2 throughout; an empty list at depth d is a leaf without a value, of definition d.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type,
};
use parquet::errors::Result;
use parquet::schema::types::Type;

/// A column's leaves, and their levels.
pub(super) struct Leaves<D: DataType> {
    pub(super) values: Vec<D::T>,
    pub(super) definition: Vec<i16>,
    pub(super) repetition: Vec<i16>,
}

impl<D: DataType> Default for Leaves<D> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            definition: Vec::new(),
            repetition: Vec::new(),
        }
    }
}

impl<D: DataType> Leaves<D> {
    fn push(&mut self, value: Option<D::T>, at: Levels) {
        self.values.extend(value);
        self.definition.push(at.definition);
        self.repetition.push(at.repetition);
    }
}

/// Where in the tree a value stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Levels {
    definition: i16,
    repetition: i16,
    /// Lists around it.
    depth: i16,
}

/// Leaves that are taken one by one. What contradicts itself gives `None`.
pub(super) struct Taking<D: DataType> {
    values: std::vec::IntoIter<D::T>,
    levels: std::iter::Peekable<std::vec::IntoIter<(i16, i16)>>,
}

impl<D: DataType> Taking<D> {
    pub(super) fn new(leaves: Leaves<D>) -> Self {
        let levels: Vec<_> = leaves
            .definition
            .into_iter()
            .zip(leaves.repetition)
            .collect();
        Self {
            values: leaves.values.into_iter(),
            levels: levels.into_iter().peekable(),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&mut self) -> bool {
        self.levels.peek().is_none() && self.values.len() == 0
    }

    /// The next row.
    pub(super) fn row<T: Cell<Physical = D>>(&mut self) -> Option<T> {
        self.levels.peek().filter(|level| level.1 == 0)?;
        T::take(self, Levels::default())
    }

    fn definition(&mut self) -> Option<i16> {
        self.levels.peek().map(|level| level.0)
    }

    /// Whether the next leaf is a further entry of the list at this depth.
    fn goes_on(&mut self, depth: i16) -> bool {
        self.levels.peek().is_some_and(|level| level.1 == depth)
    }
}

/// A value of a column.
pub(super) trait Cell: Sized {
    /// What its leaves are.
    type Physical: DataType;
    /// As SQL names its type.
    fn sql() -> String;
    /// Its node of the schema.
    fn node(name: &str, repetition: Repetition) -> Result<Type>;
    /// Adds its leaves.
    fn put(self, leaves: &mut Leaves<Self::Physical>, at: Levels);
    /// Takes its leaves.
    fn take(leaves: &mut Taking<Self::Physical>, at: Levels) -> Option<Self>;
}

macro_rules! leaf {
    ($type:ty, $physical:ty, $sql:literal, $logical:expr, $to:expr, $from:expr) => {
        impl Cell for $type {
            type Physical = $physical;

            fn sql() -> String {
                $sql.to_owned()
            }

            fn node(name: &str, repetition: Repetition) -> Result<Type> {
                let logical: Option<(LogicalType, ConvertedType)> = $logical;
                let builder = Type::primitive_type_builder(name, <$physical>::get_physical_type())
                    .with_repetition(repetition);
                match logical {
                    Some((logical, converted)) => builder
                        .with_logical_type(Some(logical))
                        .with_converted_type(converted)
                        .build(),
                    None => builder.build(),
                }
            }

            fn put(self, leaves: &mut Leaves<Self::Physical>, at: Levels) {
                let to: fn(Self) -> <$physical as DataType>::T = $to;
                leaves.push(Some(to(self)), at);
            }

            fn take(leaves: &mut Taking<Self::Physical>, at: Levels) -> Option<Self> {
                let (definition, _) = leaves.levels.next()?;
                let from: fn(<$physical as DataType>::T) -> Option<Self> = $from;
                from((definition == at.definition).then(|| leaves.values.next())??)
            }
        }
    };
}

leaf!(bool, BoolType, "BOOLEAN", None, |x| x, Some);
leaf!(f32, FloatType, "FLOAT", None, |x| x, Some);
leaf!(f64, DoubleType, "DOUBLE", None, |x| x, Some);
// Counts and places: of what is in memory, below 2⁶³.
leaf!(usize, Int64Type, "BIGINT", None, |x| x as i64, |x| x
    .try_into()
    .ok());
leaf!(u32, Int64Type, "BIGINT", None, i64::from, |x| x
    .try_into()
    .ok());
leaf!(
    String,
    ByteArrayType,
    "VARCHAR",
    Some((LogicalType::String, ConvertedType::UTF8)),
    |x| ByteArray::from(x.into_bytes()),
    |x| String::from_utf8(x.data().to_vec()).ok()
);

/// One that may be null.
impl<T: Cell> Cell for Option<T> {
    type Physical = T::Physical;

    fn sql() -> String {
        T::sql()
    }

    fn node(name: &str, _: Repetition) -> Result<Type> {
        T::node(name, Repetition::OPTIONAL)
    }

    fn put(self, leaves: &mut Leaves<Self::Physical>, at: Levels) {
        let there = Levels {
            definition: at.definition + 1,
            ..at
        };
        match self {
            Some(value) => value.put(leaves, there),
            None => leaves.push(None, at),
        }
    }

    fn take(leaves: &mut Taking<Self::Physical>, at: Levels) -> Option<Self> {
        let there = Levels {
            definition: at.definition + 1,
            ..at
        };
        if leaves.definition()? > at.definition {
            return T::take(leaves, there).map(Some);
        }
        let (definition, _) = leaves.levels.next()?;
        (definition == at.definition).then_some(None)
    }
}

/// A list, of the three levels that the format prescribes (`LogicalTypes.md` of apache/parquet-format).
impl<T: Cell> Cell for Vec<T> {
    type Physical = T::Physical;

    fn sql() -> String {
        T::sql() + "[]"
    }

    fn node(name: &str, repetition: Repetition) -> Result<Type> {
        let element = T::node("element", Repetition::REQUIRED)?;
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(element)])
            .build()?;
        Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::List))
            .with_converted_type(ConvertedType::LIST)
            .with_fields(vec![Arc::new(list)])
            .build()
    }

    fn put(self, leaves: &mut Leaves<Self::Physical>, at: Levels) {
        if self.is_empty() {
            return leaves.push(None, at);
        }
        let mut inner = Levels {
            definition: at.definition + 1,
            depth: at.depth + 1,
            ..at
        };
        for value in self {
            value.put(leaves, inner);
            inner.repetition = inner.depth;
        }
    }

    fn take(leaves: &mut Taking<Self::Physical>, at: Levels) -> Option<Self> {
        let inner = Levels {
            definition: at.definition + 1,
            depth: at.depth + 1,
            ..at
        };
        let mut list = Vec::new();
        if leaves.definition()? <= at.definition {
            let (definition, _) = leaves.levels.next()?;
            return (definition == at.definition).then_some(list);
        }
        loop {
            list.push(T::take(leaves, inner)?);
            if !leaves.goes_on(inner.depth) {
                return Some(list);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves<T: Cell>(rows: Vec<T>) -> Leaves<T::Physical> {
        let mut leaves = Leaves::default();
        for row in rows {
            row.put(&mut leaves, Levels::default());
        }
        leaves
    }

    /// The rows that leaves make.
    fn taken<T: Cell>(leaves: Leaves<T::Physical>) -> Option<Vec<T>> {
        let mut taking = Taking::new(leaves);
        let mut rows = Vec::new();
        while !taking.is_done() {
            rows.push(taking.row()?);
        }
        Some(rows)
    }

    /// Levels by hand, after section 4.1 of the paper.
    #[test]
    fn levels_are_those_of_the_paper() {
        let rows = vec![
            vec![vec![1.0_f32, 2.0], vec![3.0]],
            vec![],
            vec![vec![], vec![4.0]],
        ];
        let got = leaves(rows.clone());
        assert_eq!(got.values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(got.repetition, [0, 2, 1, 0, 0, 1]);
        assert_eq!(got.definition, [2, 2, 2, 0, 1, 2]);
        assert_eq!(taken::<Vec<Vec<f32>>>(got), Some(rows));

        let rows = vec![vec![Some(7_usize), None], vec![], vec![None]];
        let got = leaves(rows.clone());
        assert_eq!(got.values, [7]);
        assert_eq!(got.repetition, [0, 1, 0, 0]);
        assert_eq!(got.definition, [2, 1, 0, 1]);
        assert_eq!(taken::<Vec<Option<usize>>>(got), Some(rows));
    }

    #[test]
    fn three_lists_and_texts_read_back() {
        let rows = vec![
            vec![
                vec![
                    vec!["ä".to_owned()],
                    vec![],
                    vec![String::new(), "b".to_owned()],
                ],
                vec![],
            ],
            vec![vec![vec![]]],
        ];
        let got = leaves(rows.clone());
        assert_eq!(got.repetition, [0, 2, 2, 3, 1, 0]);
        assert_eq!(got.definition, [3, 2, 3, 3, 1, 2]);
        assert_eq!(taken(got), Some(rows));
    }

    #[test]
    fn levels_that_contradict_themselves_are_refused() {
        let good = || leaves(vec![vec![vec![1.0_f64, 2.0], vec![3.0]], vec![]]);
        type Rows = Vec<Vec<f64>>;
        assert!(taken::<Rows>(good()).is_some());
        let wrong: [fn(&mut Leaves<DoubleType>); 7] = [
            // A value less, a value more, a negative and a too large definition.
            |x| x.values.truncate(2),
            |x| x.values.push(9.0),
            |x| x.definition[3] = -1,
            |x| x.definition[1] = 3,
            // A further entry before the first, of a list that is not there, and of no row.
            |x| x.repetition[0] = 1,
            |x| x.repetition[1] = 3,
            |x| x.repetition[3] = 2,
        ];
        for (n, change) in wrong.iter().enumerate() {
            let mut leaves = good();
            change(&mut leaves);
            assert_eq!(taken::<Rows>(leaves), None, "{n}");
        }
        // A number that is no count.
        let negative = Leaves {
            values: vec![-1],
            definition: vec![0],
            repetition: vec![0],
        };
        assert_eq!(taken::<usize>(negative), None);
    }
}
