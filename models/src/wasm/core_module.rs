//! Guests as core modules, called with pointers into their memory.

use wasmtime::{
    ExternType, FuncType, InstancePre, Linker, Memory, Module, ModuleExport, Store, ValType,
};

use super::error::{WasmError, truncate};
use super::interface::{Entry, GuestFormat};
use super::limits::{Limits, Meter};

/// Bit of the result's length that marks an error message.
const ERROR_BIT: u32 = 1 << 31;

/// A core module, ready to instantiate.
pub(super) struct CoreModule {
    pre: InstancePre<Meter>,
    memory: ModuleExport,
    alloc: ModuleExport,
    entries: [Option<ModuleExport>; 4],
}

impl CoreModule {
    /// Checks imports and exports, without running the module.
    pub(super) fn new(module: &Module) -> Result<(GuestFormat, Self), WasmError> {
        if let Some(import) = module.imports().next() {
            let name = format!("{}.{}", import.module(), import.name());
            return Err(WasmError::Import { name: truncate(&name, 200) });
        }
        let mut formats = GuestFormat::ALL
            .into_iter()
            .filter(|format| module.get_export(format.marker()).is_some());
        let format = match (formats.next(), formats.next()) {
            (Some(format), None) => format,
            _ => {
                let name = "one of `larder_abi_1_json` and `larder_abi_1_msgpack`".into();
                return Err(WasmError::MissingExport { name });
            }
        };
        function(module, format.marker(), "a function () -> ()", &[], &[])?;
        let memory = memory(module)?;
        let alloc = "larder_alloc";
        let alloc = required(
            alloc,
            function(module, alloc, "a function (i32) -> i32", &[ValType::I32], &[ValType::I32])?,
        )?;
        let mut entries = [const { None }; 4];
        for entry in Entry::ALL {
            let (params, results) = ([ValType::I32, ValType::I32], [ValType::I64]);
            let expected = "a function (i32, i32) -> i64";
            entries[entry as usize] =
                function(module, entry.core_name(), expected, &params, &results)?;
        }
        let pre = Linker::new(module.engine())
            .instantiate_pre(module)
            .map_err(|error| WasmError::invalid(&error))?;
        Ok((format, Self { pre, memory, alloc, entries }))
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
        let missing = |name: &str| WasmError::MissingExport { name: format!("`{name}`") };
        let instance = self.pre.instantiate(&mut store).map_err(failed)?;
        let mut export = |export: &Option<ModuleExport>| {
            export.as_ref().and_then(|export| instance.get_module_export(&mut store, export))
        };
        let entry_point = export(&self.entries[entry as usize]).and_then(|found| found.into_func());
        let memory = instance.get_module_export(&mut store, &self.memory);
        let alloc = instance.get_module_export(&mut store, &self.alloc);
        let memory =
            memory.and_then(|found| found.into_memory()).ok_or_else(|| missing("memory"))?;
        let alloc =
            alloc.and_then(|found| found.into_func()).ok_or_else(|| missing("larder_alloc"))?;
        let alloc = alloc.typed::<i32, i32>(&store).map_err(failed)?;
        let entry_point = entry_point.ok_or_else(|| missing(entry.core_name()))?;
        let entry_point = entry_point.typed::<(i32, i32), i64>(&store).map_err(failed)?;

        // A 32-bit memory cannot hold a longer input.
        let len =
            i32::try_from(input.len()).map_err(|_| WasmError::Memory { limit: limits.memory })?;
        let pointer = alloc.call(&mut store, len).map_err(failed)?;
        write(&mut store, memory, pointer as u32, input)?;
        let packed = entry_point.call(&mut store, (pointer, len)).map_err(failed)? as u64;
        let (pointer, len) = ((packed >> 32) as u32, packed as u32);
        let is_error = len & ERROR_BIT != 0;
        let output = read(&store, memory, pointer, len & !ERROR_BIT, limits)?;
        if is_error {
            return Err(WasmError::guest(&String::from_utf8_lossy(output)));
        }
        Ok(output.to_vec())
    }
}

fn write(
    store: &mut Store<Meter>,
    memory: Memory,
    pointer: u32,
    input: &[u8],
) -> Result<(), WasmError> {
    let bytes = memory.data_mut(store);
    let size = bytes.len() as u64;
    match bytes.get_mut(pointer as usize..).and_then(|rest| rest.get_mut(..input.len())) {
        // A null pointer means that the allocation failed.
        Some(buffer) if pointer != 0 || input.is_empty() => buffer.copy_from_slice(input),
        _ => {
            let (what, len) = ("the input buffer", input.len() as u32);
            return Err(WasmError::Pointer { what, pointer, len, size });
        }
    }
    Ok(())
}

fn read<'a>(
    store: &'a Store<Meter>,
    memory: Memory,
    pointer: u32,
    len: u32,
    limits: &Limits,
) -> Result<&'a [u8], WasmError> {
    if u64::from(len) > limits.output {
        return Err(WasmError::Output { size: len.into(), limit: limits.output });
    }
    let bytes = memory.data(store);
    let found = bytes.get(pointer as usize..).and_then(|rest| rest.get(..len as usize));
    let (what, size) = ("the output", bytes.len() as u64);
    found.ok_or(WasmError::Pointer { what, pointer, len, size })
}

fn required(name: &str, export: Option<ModuleExport>) -> Result<ModuleExport, WasmError> {
    export.ok_or_else(|| WasmError::MissingExport { name: format!("`{name}`") })
}

fn memory(module: &Module) -> Result<ModuleExport, WasmError> {
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) if !memory.is_64() && !memory.is_shared() => {}
        Some(other) => return Err(wrong_type("memory", "a memory with 32-bit addresses", &other)),
        None => {}
    }
    required("memory", module.get_export_index("memory"))
}

/// Finds an exported function.
///
/// # Errors
/// [`WasmError::ExportType`] if the export has another type.
fn function(
    module: &Module,
    name: &str,
    expected: &'static str,
    params: &[ValType],
    results: &[ValType],
) -> Result<Option<ModuleExport>, WasmError> {
    let same = |found: &FuncType| {
        let equal = |found: &[ValType], wanted: &[ValType]| {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| ValType::eq(found, wanted))
        };
        equal(&found.params().collect::<Vec<_>>(), params)
            && equal(&found.results().collect::<Vec<_>>(), results)
    };
    match module.get_export(name) {
        None => Ok(None),
        Some(ExternType::Func(found)) if same(&found) => Ok(module.get_export_index(name)),
        Some(other) => Err(wrong_type(name, expected, &other)),
    }
}

fn wrong_type(name: &str, expected: &'static str, found: &ExternType) -> WasmError {
    let found = match found {
        ExternType::Func(function) => {
            let list = |types: Vec<ValType>| {
                types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ")
            };
            let (params, results) = (function.params().collect(), function.results().collect());
            truncate(&format!("a function ({}) -> ({})", list(params), list(results)), 200)
        }
        ExternType::Global(_) => "a global".into(),
        ExternType::Table(_) => "a table".into(),
        ExternType::Memory(_) => "a memory of another type".into(),
        ExternType::Tag(_) => "a tag".into(),
    };
    WasmError::ExportType { name: name.into(), expected, found }
}
