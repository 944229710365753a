//! The inputs and outputs of a session.

use ort::session::Session;
use ort::value::{Outlet, ValueType};

use super::super::interface::{Dim, Port};
use super::super::rewrite::Keys;
use super::adapt::Border;
use super::convert;

/// Returns true if all inputs and outputs are tensors, or sequences of them, of types that Rust has.
pub(super) fn are_plain(session: &Session) -> bool {
    session.inputs().iter().chain(session.outputs()).all(|outlet| match outlet.dtype() {
        ValueType::Tensor { ty, .. } => convert::dtype_of(*ty).is_some(),
        ValueType::Sequence(_) => true,
        _ => false,
    })
}

/// Describes the inputs or outputs of a session; `borders` are those of the file, if it was changed.
pub(super) fn ports(
    outlets: &[Outlet],
    borders: &[Border],
    side: &str,
    keys: &Keys,
) -> Result<Vec<Port>, String> {
    if borders.is_empty() {
        let own = |outlet: &Outlet| Border::of(outlet.name());
        let borders: Vec<_> = outlets.iter().map(own).collect();
        return if borders.is_empty() {
            Ok(Vec::new())
        } else {
            ports(outlets, &borders, side, keys)
        };
    }
    let mut outlets = outlets.iter();
    let mut ports = Vec::with_capacity(borders.len());
    for (at, border) in borders.iter().enumerate() {
        let name = &border.name;
        let outlet = outlets.next().ok_or_else(|| format!("`{name}` is missing"))?;
        if border.optional {
            // Says if it is given.
            outlets.next();
        }
        ports.push(port(outlet, border, &format!("{side}{at}"), keys)?);
    }
    Ok(ports)
}

fn port(outlet: &Outlet, border: &Border, prefix: &str, keys: &Keys) -> Result<Port, String> {
    let name = border.name.clone();
    let (sequence, tensor) = match outlet.dtype() {
        ValueType::Sequence(inner) => (true, &**inner),
        tensor => (false, tensor),
    };
    let ValueType::Tensor { ty, shape, dimension_symbols } = tensor else {
        return Err(format!("`{name}` is a map, or a sequence or optional value of maps"));
    };
    let dtype = border.narrow.or_else(|| convert::dtype_of(*ty));
    let dtype = dtype
        .ok_or_else(|| format!("the elements of `{name}` have a type that is not supported"))?;
    let dim = |(axis, size): (usize, &i64)| match u64::try_from(*size) {
        Ok(size) => Dim::Fixed(size),
        Err(_) => {
            Dim::Symbol(match dimension_symbols.get(axis).filter(|symbol| !symbol.is_empty()) {
                Some(symbol) => symbol.clone(),
                None => format!("{prefix}_{axis}"),
            })
        }
    };
    let mut shape: Vec<Dim> = shape.iter().enumerate().map(dim).collect();
    let keys = keys.get(&name).cloned().unwrap_or_default();
    if !keys.is_empty() {
        // The input of `ZipMap` is a matrix with a column for each name; the file does not state its shape.
        let rows = shape.first().cloned().unwrap_or_else(|| Dim::Symbol(format!("{prefix}_0")));
        shape = vec![rows, Dim::Fixed(keys.len() as u64)];
    }
    Ok(Port { keys, sequence, optional: border.optional, ..Port::tensor(name, dtype, shape) })
}
