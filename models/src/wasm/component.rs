//! Guests as components, called through `larder.wit`.

use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, Type, WasmList, WasmStr,
};

use super::error::{WasmError, truncate};
use super::interface::{Entry, GuestFormat};
use super::limits::{Limits, Meter};

/// A component, ready to instantiate.
pub(super) struct GuestComponent {
    pre: InstancePre<Meter>,
    entries: [Option<ComponentExportIndex>; 4],
}

impl GuestComponent {
    /// Checks imports and exports, without running the component.
    pub(super) fn new(component: &Component) -> Result<(GuestFormat, Self), WasmError> {
        if let Some((name, _)) = component.component_type().imports(component.engine()).next() {
            return Err(WasmError::Import { name: truncate(name, 200) });
        }
        let mut found = None;
        for format in GuestFormat::ALL {
            let mut entries = [const { None }; 4];
            for entry in Entry::ALL {
                entries[entry as usize] = function(component, entry, format)?;
            }
            if entries.iter().any(Option::is_some) && found.replace((format, entries)).is_some() {
                let reason =
                    "it exports interfaces for both JSON and MessagePack; export one".into();
                return Err(WasmError::Invalid { reason });
            }
        }
        let Some((format, entries)) = found else {
            let name =
                "an interface of `larder:guest@1.0.0`, such as `larder:guest/json-model@1.0.0`";
            return Err(WasmError::MissingExport { name: name.into() });
        };
        let pre = Linker::new(component.engine())
            .instantiate_pre(component)
            .map_err(|error| WasmError::invalid(&error))?;
        Ok((format, Self { pre, entries }))
    }

    pub(super) fn has(&self, entry: Entry) -> bool {
        self.entries[entry as usize].is_some()
    }

    /// Calls a function of a new instance.
    pub(super) fn call(
        &self,
        mut store: Store<Meter>,
        entry: Entry,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, WasmError> {
        let failed = |error| WasmError::from_call(error, limits);
        let instance = self.pre.instantiate(&mut store).map_err(failed)?;
        let Some(export) = &self.entries[entry as usize] else {
            return Err(WasmError::MissingExport { name: format!("`{entry:?}`") });
        };
        // Checks the output's length before copying it.
        let function = instance
            .get_typed_func::<(&[u8],), (Result<WasmList<u8>, WasmStr>,)>(&mut store, export)
            .map_err(failed)?;
        let (result,) = function.call(&mut store, (input,)).map_err(failed)?;
        match result {
            Ok(output) if output.len() as u64 > limits.output => {
                Err(WasmError::Output { size: output.len() as u64, limit: limits.output })
            }
            Ok(output) => Ok(output.as_le_slice(&store).to_vec()),
            Err(message) => Err(WasmError::guest(&message.to_str(&store).map_err(failed)?)),
        }
    }
}

/// Finds the function of an entry.
///
/// # Errors
/// [`WasmError::ExportType`] if the export has another type.
fn function(
    component: &Component,
    entry: Entry,
    format: GuestFormat,
) -> Result<Option<ComponentExportIndex>, WasmError> {
    let (interface, name) = entry.component_name(format);
    let Some((item, instance)) = component.get_export(None, interface.as_str()) else {
        return Ok(None);
    };
    let wrong = |found: &str| {
        Err(WasmError::ExportType {
            name: format!("{interface}#{name}"),
            expected: "func(list<u8>) -> result<list<u8>, string>",
            found: found.into(),
        })
    };
    if !matches!(item, ComponentItem::ComponentInstance(_)) {
        return wrong("not an interface");
    }
    match component.get_export(Some(&instance), name) {
        Some((ComponentItem::ComponentFunc(found), export)) if fits(&found) => Ok(Some(export)),
        Some((ComponentItem::ComponentFunc(_), _)) => wrong("a function of another type"),
        Some(_) => wrong("not a function"),
        None => wrong("missing"),
    }
}

fn fits(function: &ComponentFunc) -> bool {
    let bytes = |ty: &Type| matches!(ty, Type::List(list) if list.ty() == Type::U8);
    let outcome = |ty: &Type| match ty {
        Type::Result(result) => {
            result.ok().is_some_and(|ok| bytes(&ok)) && result.err() == Some(Type::String)
        }
        _ => false,
    };
    let mut params = function.params();
    let mut results = function.results();
    params.len() == 1
        && results.len() == 1
        && params.all(|(_, ty)| bytes(&ty))
        && results.all(|ty| outcome(&ty))
}
