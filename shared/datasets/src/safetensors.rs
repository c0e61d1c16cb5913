//! Arrays by their names; nothing is copied, their rows are where they are.
//! <https://huggingface.co/docs/safetensors/index#format>

use std::io::Read;

use protocol::{
    dataset::{Content, File},
    tensor::dtype_from_safetensors,
};
use safetensors::tensor::Metadata;

use archive::quoted;

use crate::{
    Problem, Refused,
    arrays::{self, Described, MAX_ARRAYS},
};

/// The longest header, in bytes.
const MAX_HEADER: u64 = 1 << 20;

pub(crate) fn read(file: &mut impl Read, size: u64) -> Result<Content, Problem> {
    let not = |what: &str| Refused::new(format!("not a safetensors file: {what}"));
    let mut prefix = [0; 8];
    if size < 8 {
        return Err(not("it is too short").into());
    }
    file.read_exact(&mut prefix)?;
    let length = u64::from_le_bytes(prefix);
    if length > MAX_HEADER || length > size - 8 {
        return Err(not(&format!(
            "its header would have {length} bytes, and {MAX_HEADER} are accepted"
        ))
        .into());
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| not(&error.to_string()))?;
    let names = metadata.offset_keys();
    if names.len() > MAX_ARRAYS {
        let count = names.len();
        return Err(
            Refused::new(format!("{count} arrays are over the limit of {MAX_ARRAYS}")).into()
        );
    }
    let mut at = 0;
    let mut seen = Vec::with_capacity(names.len());
    for name in &names {
        let info = metadata.info(name).ok_or_else(|| not("an array is not described"))?;
        let dtype = dtype_from_safetensors(info.dtype).ok_or_else(|| {
            let (name, dtype) = (quoted(name), info.dtype);
            Refused::new(format!("the array {name} has the type {dtype:?}; use a type of NumPy"))
        })?;
        let mut described = Described::new(name, dtype, &info.shape)?;
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        if start != at || end.checked_sub(start) != Some(described.bytes()) {
            let message = format!("the array {} is not where the header says", quoted(name));
            return Err(Refused::new(message).into());
        }
        at = end;
        described.array.offset = 8 + length + start;
        seen.push(arrays::see(file, described, None)?);
    }
    if 8 + length + at != size {
        return Err(not("it is longer or shorter than its header says").into());
    }
    Ok(arrays::content(seen, File::Uploaded)?)
}
