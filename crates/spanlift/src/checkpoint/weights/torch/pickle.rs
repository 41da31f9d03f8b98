//! As much of Python's pickle as `torch.save` needs for a dictionary of tensors. Nothing is executed: a name that is no
//! function for tensors or storage is refused where it is read.
//!
//! A stack machine as [pickletools](https://docs.python.org/3/library/pickletools.html) describes it. Values stand in an
//! arena and know each other by place, so that no pickle makes more of them than it has bytes, however often it repeats
//! itself, and however deep they lie in each other.

use std::collections::BTreeMap;

use super::shown;
use super::value::{Id, Name, Storage, Tensor, Value};

/// A tensor has at most so many sides.
const MAX_SIDES: usize = 8;

/// Why a pickle was not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It names something else than tensors need.
    Name(String),
    /// It cannot be taken apart, or is no dictionary of tensors.
    Broken { at: usize, reason: String },
}

/// What has been read so far.
pub(super) struct Machine<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) values: Vec<Value<'a>>,
    pub(super) stack: Vec<Id>,
    /// How high the stack was at each mark.
    pub(super) marks: Vec<usize>,
    pub(super) memo: BTreeMap<u32, Id>,
    /// The tensors of the dictionary, once it was all read.
    result: Vec<(&'a str, Box<Tensor<'a>>)>,
}

/// The tensors by name; where a name comes twice, the last counts, as in Python.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<(&str, Box<Tensor<'_>>)>, Fault> {
    let mut machine = Machine {
        bytes,
        at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        result: Vec::new(),
    };
    while machine.step()? {}
    Ok(machine.result)
}

impl<'a> Machine<'a> {
    pub(super) fn broken<T>(&self, reason: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Broken {
            at: self.at,
            reason: reason.into(),
        })
    }

    /// One opcode; `false` behind the last.
    fn step(&mut self) -> Result<bool, Fault> {
        let [opcode] = self.take()?;
        let value = match opcode {
            // PROTO, FRAME: nothing follows from them.
            0x80 => return self.take::<1>().map(|_| true),
            0x95 => return self.take::<8>().map(|_| true),
            b'.' => return self.finish().map(|()| false),
            // BINPUT, LONG_BINPUT, MEMOIZE.
            b'q' => {
                let [place] = self.take()?;
                return self.keep(place.into());
            }
            b'r' => {
                let place = self.take()?;
                return self.keep(u32::from_le_bytes(place));
            }
            0x94 => {
                let place = self.memo.len();
                // Below the number of bytes, which is limited.
                return self.keep(place as u32);
            }
            // BINGET, LONG_BINGET.
            b'h' => {
                let [place] = self.take()?;
                return self.get(place.into());
            }
            b'j' => {
                let place = self.take()?;
                return self.get(u32::from_le_bytes(place));
            }
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(true);
            }
            // APPEND, APPENDS, SETITEM, SETITEMS, BUILD: what is under them stays.
            b'a' => {
                let item = self.pop()?;
                return self.append(vec![item]);
            }
            b'e' => {
                let items = self.since_mark()?;
                return self.append(items);
            }
            b's' => {
                let pair = self.popped(2)?;
                return self.set(&pair);
            }
            b'u' => {
                let pairs = self.since_mark()?;
                return self.set(&pairs);
            }
            b'b' => {
                // Attributes, such as the `_metadata` of a state_dict: no tensor has any that count.
                self.pop()?;
                return self.top().map(|_| true);
            }
            b'R' => return self.reduce(),
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool,
            b'K' => Value::Int(self.take::<1>().map(|[x]| x.into())?),
            b'M' => Value::Int(self.take().map(u16::from_le_bytes)?.into()),
            b'J' => Value::Int(self.take().map(i32::from_le_bytes)?.into()),
            0x8a => self.long()?,
            b'G' => {
                self.take::<8>()?;
                Value::Float
            }
            // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8.
            b'X' => {
                let length = self.take()?;
                self.text(u32::from_le_bytes(length).into())?
            }
            0x8c => {
                let [length] = self.take()?;
                self.text(length.into())?
            }
            0x8d => {
                let length = self.take()?;
                self.text(u64::from_le_bytes(length))?
            }
            // GLOBAL, STACK_GLOBAL.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.named(module, name)?
            }
            0x93 => {
                let pair = self.popped(2)?;
                match (self.value(pair[0]), self.value(pair[1])) {
                    (&Value::Text(module), &Value::Text(name)) => self.named(module, name)?,
                    _ => return self.broken("expected module and name as texts"),
                }
            }
            b')' => Value::Tuple(Vec::new()),
            b't' => Value::Tuple(self.since_mark()?),
            0x85..=0x87 => Value::Tuple(self.popped(usize::from(opcode) - 0x84)?),
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b'Q' => self.storage()?,
            other => {
                self.at -= 1;
                return self.broken(format!(
                    "expected an opcode that a dictionary of tensors needs, got {other:#04x}"
                ));
            }
        };
        self.push(value);
        Ok(true)
    }

    /// BINPERSID: `("storage", type, key, device, count)`.
    fn storage(&mut self) -> Result<Value<'a>, Fault> {
        let id = self.pop()?;
        if let Value::Tuple(parts) = self.value(id)
            && let &[tag, dtype, key, _, count] = &parts[..]
            && let Value::Text("storage") = self.value(tag)
            && let &Value::Name(Name::Storage(dtype)) = self.value(dtype)
            && let &Value::Text(key) = self.value(key)
            && let Some(count) = self.natural(count)
        {
            return Ok(Value::Storage(Box::new(Storage { key, dtype, count })));
        }
        self.broken("expected a storage with its type, name, device and number of elements")
    }

    /// Calls that are known, carried out here.
    fn reduce(&mut self) -> Result<bool, Fault> {
        let pair = self.popped(2)?;
        let (&Value::Name(name), Value::Tuple(given)) = (self.value(pair[0]), self.value(pair[1]))
        else {
            return self.broken("expected a function and a tuple for it");
        };
        let value = match (name, &given[..]) {
            (Name::OrderedDict, []) => Value::Dict(Vec::new()),
            (Name::RebuildTensor, &[storage, offset, shape, strides, _, _]) => {
                self.tensor(storage, offset, shape, strides)?
            }
            // A view of a complex tensor may be the negative of its storage: `metadata` says so.
            (Name::RebuildTensor, &[storage, offset, shape, strides, _, _, metadata])
                if self.is_nothing(metadata) =>
            {
                self.tensor(storage, offset, shape, strides)?
            }
            (Name::RebuildParameter, &[data, _, _])
                if matches!(self.value(data), Value::Tensor(_)) =>
            {
                self.stack.push(data);
                return Ok(true);
            }
            (Name::OrderedDict, _) => return self.broken("expected an empty OrderedDict"),
            (Name::RebuildTensor, _) => {
                return self.broken("expected _rebuild_tensor_v2 with 6 arguments");
            }
            (Name::RebuildParameter, _) => {
                return self.broken("expected _rebuild_parameter of a tensor with 3 arguments");
            }
            (Name::Storage(_), _) => {
                return self.broken("expected a function, got the type of a storage");
            }
        };
        self.push(value);
        Ok(true)
    }

    fn is_nothing(&self, id: Id) -> bool {
        match self.value(id) {
            Value::None => true,
            Value::Dict(pairs) => pairs.is_empty(),
            _ => false,
        }
    }

    fn tensor(&self, storage: Id, offset: Id, shape: Id, strides: Id) -> Result<Value<'a>, Fault> {
        if let Value::Storage(storage) = self.value(storage)
            && let Some(offset) = self.natural(offset)
            && let Some(shape) = self.naturals(shape)
            && let Some(strides) = self.naturals(strides)
            && shape.len() == strides.len()
        {
            return Ok(Value::Tensor(Box::new(Tensor {
                storage: **storage,
                dtype: storage.dtype,
                offset,
                shape,
                strides,
            })));
        }
        self.broken(format!(
            "expected a tensor of a storage, with offset and at most {MAX_SIDES} sides and as many strides"
        ))
    }

    fn natural(&self, id: Id) -> Option<usize> {
        match self.value(id) {
            &Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }

    fn naturals(&self, id: Id) -> Option<Vec<usize>> {
        match self.value(id) {
            Value::Tuple(ids) if ids.len() <= MAX_SIDES => {
                ids.iter().map(|&id| self.natural(id)).collect()
            }
            _ => None,
        }
    }

    /// STOP: the value on the stack is the dictionary.
    fn finish(&mut self) -> Result<(), Fault> {
        let id = self.pop()?;
        let Value::Dict(pairs) = self.value(id) else {
            let kind = self.value(id).kind();
            return self.broken(format!("expected a dictionary of tensors, got {kind}"));
        };
        let mut result = Vec::with_capacity(pairs.len());
        for &(key, value) in pairs {
            let key = match self.value(key) {
                Value::Text(key) => key,
                other => {
                    let kind = other.kind();
                    return self.broken(format!("expected a tensor's name, got {kind}"));
                }
            };
            match self.value(value) {
                Value::Tensor(tensor) => result.push((*key, tensor.clone())),
                other => {
                    let (key, kind) = (shown(key), other.kind());
                    return self.broken(format!(
                        "`{key}`: expected a tensor, got {kind}: save the model's state_dict() and nothing else"
                    ));
                }
            }
        }
        self.result = result;
        Ok(())
    }
}
