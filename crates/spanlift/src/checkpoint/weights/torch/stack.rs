//! The machine's bytes, stack and memo.

use super::pickle::{Fault, Machine};
use super::shown;
use super::value::{Id, Value, name};

impl<'a> Machine<'a> {
    pub(super) fn slice(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(length).ok().and_then(|n| rest.get(..n)) {
            Some(slice) => {
                self.at += slice.len();
                Ok(slice)
            }
            None => self.broken(format!(
                "expected {length} more bytes, got {} before the end",
                rest.len()
            )),
        }
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(N as u64)?);
        Ok(bytes)
    }

    pub(super) fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, Fault> {
        std::str::from_utf8(bytes).or_else(|_| self.broken("expected a text in UTF-8"))
    }

    pub(super) fn text(&mut self, length: u64) -> Result<Value<'a>, Fault> {
        let bytes = self.slice(length)?;
        self.utf8(bytes).map(Value::Text)
    }

    pub(super) fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return self.broken("expected a line with a name, got no end of it");
        };
        self.at += length + 1;
        self.utf8(&rest[..length])
    }

    /// LONG1: a number of any length, of which 8 bytes are read.
    pub(super) fn long(&mut self) -> Result<Value<'a>, Fault> {
        let [length] = self.take()?;
        let bytes = self.slice(length.into())?;
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        match wide.get_mut(..bytes.len()) {
            Some(low) => low.copy_from_slice(bytes),
            None => return self.broken(format!("expected a number of 8 bytes, got {length}")),
        }
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }

    pub(super) fn named(&self, module: &str, called: &str) -> Result<Value<'a>, Fault> {
        match name(module, called) {
            Some(name) => Ok(Value::Name(name)),
            None => Err(Fault::Name(format!("{}.{}", shown(module), shown(called)))),
        }
    }

    // Stack and memo.

    pub(super) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    pub(super) fn push(&mut self, value: Value<'a>) {
        // Below the number of bytes, which is limited.
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
    }

    /// Above the last mark: what is below it belongs to others.
    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn popped(&mut self, count: usize) -> Result<Vec<Id>, Fault> {
        match self.stack.len().checked_sub(count) {
            Some(at) if at >= self.floor() => Ok(self.stack.split_off(at)),
            _ => self.broken("expected a value, got an empty stack"),
        }
    }

    pub(super) fn pop(&mut self) -> Result<Id, Fault> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    pub(super) fn top(&self) -> Result<Id, Fault> {
        match self.stack.get(self.floor()..).and_then(<[Id]>::last) {
            Some(&id) => Ok(id),
            None => self.broken("expected a value, got an empty stack"),
        }
    }

    pub(super) fn since_mark(&mut self) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.broken("expected a mark, got none"),
        }
    }

    pub(super) fn keep(&mut self, place: u32) -> Result<bool, Fault> {
        let id = self.top()?;
        self.memo.insert(place, id);
        Ok(true)
    }

    pub(super) fn get(&mut self, place: u32) -> Result<bool, Fault> {
        let Some(&id) = self.memo.get(&place) else {
            return self.broken(format!("expected a value kept as {place}, got none"));
        };
        self.stack.push(id);
        Ok(true)
    }

    pub(super) fn append(&mut self, items: Vec<Id>) -> Result<bool, Fault> {
        let list = self.top()?;
        match &mut self.values[list as usize] {
            Value::List(list) => list.extend(items),
            other => {
                let kind = other.kind();
                return self.broken(format!("expected a list to append to, got {kind}"));
            }
        }
        Ok(true)
    }

    pub(super) fn set(&mut self, pairs: &[Id]) -> Result<bool, Fault> {
        let (pairs, rest) = pairs.as_chunks::<2>();
        let dict = self.top()?;
        match &mut self.values[dict as usize] {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            other => {
                let kind = other.kind();
                return self.broken(format!("expected pairs for a dictionary, got {kind}"));
            }
        }
        Ok(true)
    }
}
