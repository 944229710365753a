//! From JSON to Arrow.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, ListArray, MapArray, PrimitiveArray,
    StringArray, StructArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field as ArrowField, FieldRef, Fields};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::schema::FieldType;

/// Returns the column of JSON values; absent ones and `null` are null.
///
/// # Errors
/// Why the first value that does not fit, does not.
pub fn array_of<'a>(
    kind: &FieldType,
    values: impl Iterator<Item = Option<&'a Value>>,
) -> Result<ArrayRef, String> {
    let values: Vec<_> = values.map(|value| value.filter(|value| !value.is_null())).collect();
    array(kind.arrow(), &values)
}

type Values<'a> = [Option<&'a Value>];

fn array(kind: &DataType, values: &Values<'_>) -> Result<ArrayRef, String> {
    use DataType as D;
    Ok(match kind {
        D::Boolean => {
            Arc::new(collect::<_, BooleanArray>(values, Value::as_bool, || "bool".into())?)
        }
        D::Int8 => integers::<Int8Type>(values, kind)?,
        D::Int16 => integers::<Int16Type>(values, kind)?,
        D::Int32 => integers::<Int32Type>(values, kind)?,
        D::Int64 => integers::<Int64Type>(values, kind)?,
        D::UInt8 => integers::<UInt8Type>(values, kind)?,
        D::UInt16 => integers::<UInt16Type>(values, kind)?,
        D::UInt32 => integers::<UInt32Type>(values, kind)?,
        D::UInt64 => integers::<UInt64Type>(values, kind)?,
        D::Float64 => {
            Arc::new(collect::<_, PrimitiveArray<Float64Type>>(values, float, || "number".into())?)
        }
        D::Float32 => Arc::new(collect::<_, PrimitiveArray<Float32Type>>(values, float32, || {
            "float32".into()
        })?),
        D::Float16 => {
            let wide: ArrayRef =
                Arc::new(collect::<_, PrimitiveArray<Float32Type>>(values, float32, || {
                    "float16".into()
                })?);
            cast(&wide, kind, values)?
        }
        D::Utf8 => {
            let mut texts = StringBuilder::new();
            for value in values {
                texts.append_option(
                    value.map(|it| it.as_str().ok_or_else(|| wrong(it, "text"))).transpose()?,
                );
            }
            Arc::new(texts.finish())
        }
        D::Binary => {
            let mut all = BinaryBuilder::new();
            for value in values {
                all.append_option(value.map(bytes).transpose()?);
            }
            Arc::new(all.finish())
        }
        D::FixedSizeBinary(length) => {
            let mut all = FixedSizeBinaryBuilder::new(*length);
            for value in values {
                match value.map(bytes).transpose()? {
                    Some(bytes) if bytes.len() as i64 == i64::from(*length) => {
                        all.append_value(bytes).map_err(|error| error.to_string())?;
                    }
                    Some(bytes) => {
                        return Err(format!(
                            "it has {} bytes, and the field has {length}",
                            bytes.len()
                        ));
                    }
                    None => all.append_null(),
                }
            }
            Arc::new(all.finish())
        }
        D::List(item) => list(item, values)?,
        D::FixedSizeList(item, length) => vectors(item, *length, values)?,
        D::Struct(fields) => structs(fields, values)?,
        D::Map(entries, _) => maps(entries, values)?,
        D::Duration(_) => {
            let numbers = integers::<Int64Type>(values, kind)?;
            cast(&numbers, kind, values)?
        }
        // Times and decimals are written as texts; decimals as numbers as well.
        _ => {
            let text = |value: &Value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) if matches!(kind, D::Decimal128(..)) => {
                    Some(number.to_string())
                }
                _ => None,
            };
            let texts: ArrayRef = Arc::new(collect::<_, StringArray>(values, text, || name(kind))?);
            cast(&texts, kind, values)?
        }
    })
}

fn name(kind: &DataType) -> String {
    FieldType::of(kind).map_or_else(|_| kind.to_string(), |kind| kind.to_string())
}

fn wrong(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("it is {found}, and not a {wanted}")
}

fn collect<T, A: FromIterator<Option<T>>>(
    values: &Values<'_>,
    read: impl Fn(&Value) -> Option<T>,
    wanted: impl Fn() -> String,
) -> Result<A, String> {
    let one = |value: &Option<&Value>| {
        value.map(|value| read(value).ok_or_else(|| wrong(value, &wanted()))).transpose()
    };
    values.iter().map(one).collect()
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn float32(value: &Value) -> Option<f32> {
    let wide = float(value)?;
    let narrow = wide as f32;
    (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
}

fn integers<T: ArrowPrimitiveType>(values: &Values<'_>, kind: &DataType) -> Result<ArrayRef, String>
where
    T::Native: TryFrom<i128>,
{
    let read = |value: &Value| {
        let number = match value {
            Value::Number(number) => number,
            _ => return Err(wrong(value, &name(kind))),
        };
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        let whole = whole.or_else(|| {
            let float =
                number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
            Some(float as i128)
        });
        let Some(whole) = whole else {
            return Err(format!("it is not a whole number, as {} are", name(kind)));
        };
        T::Native::try_from(whole).map_err(|_| format!("it is out of the range of {}", name(kind)))
    };
    let read = |value: &Option<&Value>| value.map(read).transpose();
    let array: PrimitiveArray<T> = values.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Arc::new(array))
}

fn cast(array: &ArrayRef, kind: &DataType, values: &Values<'_>) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = cast_with_options(array, kind, &options).map_err(|error| error.to_string())?;
    let lost = values.iter().enumerate().find(|(at, value)| value.is_some() && cast.is_null(*at));
    match lost {
        Some(_) => Err(format!("it is not a {}", name(kind))),
        None => Ok(cast),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().ok_or_else(|| wrong(value, "text of bytes in Base64"))?;
    BASE64_STANDARD.decode(text).map_err(|_| "it is not Base64, as bytes are written".to_owned())
}

fn nulls(values: &Values<'_>) -> Option<NullBuffer> {
    let nulls: NullBuffer = values.iter().map(Option::is_some).collect::<Vec<_>>().into();
    (nulls.null_count() > 0).then_some(nulls)
}

fn inner<'a>(
    item: &ArrowField,
    values: impl Iterator<Item = &'a Value>,
) -> Result<ArrayRef, String> {
    let values: Vec<_> = values.map(|value| Some(value).filter(|value| !value.is_null())).collect();
    if !item.is_nullable()
        && let Some(at) = values.iter().position(Option::is_none)
    {
        return Err(format!("its item {} is null", at + 1));
    }
    array(item.data_type(), &values)
}

fn list(item: &FieldRef, values: &Values<'_>) -> Result<ArrayRef, String> {
    let lists = values.iter().map(|value| value.map(as_list).transpose());
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    let lengths = lists.iter().map(|list| list.map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let items = inner(item, lists.iter().flatten().flat_map(|list| list.iter()))?;
    ListArray::try_new(Arc::clone(item), offsets, items, nulls(values))
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| error.to_string())
}

fn as_list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| wrong(value, "list"))
}

fn vectors(item: &FieldRef, length: i32, values: &Values<'_>) -> Result<ArrayRef, String> {
    let size = usize::try_from(length).unwrap_or(0);
    let zero = match item.data_type() {
        DataType::Boolean => Value::Bool(false),
        kind if kind.is_integer() || kind.is_floating() => Value::from(0),
        _ => Value::Null,
    };
    let mut items: Vec<Option<&Value>> = Vec::with_capacity(values.len() * size);
    for value in values {
        match value {
            None => {
                items.extend(std::iter::repeat_n(Some(&zero).filter(|zero| !zero.is_null()), size))
            }
            Some(value) => {
                let list = as_list(value)?;
                if list.len() != size {
                    return Err(format!(
                        "it has {} items, and the field is a vector of {size}",
                        list.len()
                    ));
                }
                if let Some(at) = list.iter().position(Value::is_null)
                    && !item.is_nullable()
                {
                    return Err(format!("its item {} is null", at + 1));
                }
                items.extend(list.iter().map(|it| Some(it).filter(|it| !it.is_null())));
            }
        }
    }
    let items = array(item.data_type(), &items)?;
    FixedSizeListArray::try_new(Arc::clone(item), length, items, nulls(values))
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| error.to_string())
}

fn structs(fields: &Fields, values: &Values<'_>) -> Result<ArrayRef, String> {
    let mut objects = Vec::with_capacity(values.len());
    for value in values {
        let object = match value {
            Some(Value::Object(object)) => Some(object),
            Some(other) => return Err(wrong(other, "struct")),
            None => None,
        };
        if let Some(object) = object
            && let Some(name) =
                object.keys().find(|&key| !fields.iter().any(|field| field.name() == key))
        {
            return Err(format!("it has a field `{name}`, which the struct does not have"));
        }
        objects.push(object);
    }
    let column = |field: &FieldRef| {
        let values: Vec<_> = objects
            .iter()
            .map(|object| {
                object.and_then(|it| it.get(field.name())).filter(|value| !value.is_null())
            })
            .collect();
        let is_missing =
            |(object, value): (&Option<_>, &Option<_>)| object.is_some() && value.is_none();
        if !field.is_nullable() && objects.iter().zip(&values).any(is_missing) {
            return Err(format!("its field `{}` has no value", field.name()));
        }
        array(field.data_type(), &values)
            .map_err(|reason| format!("its field `{}`: {reason}", field.name()))
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let nulls = nulls(values);
    StructArray::try_new(fields.clone(), columns, nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| error.to_string())
}

fn maps(entries: &FieldRef, values: &Values<'_>) -> Result<ArrayRef, String> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Ok(new_null_array(entries.data_type(), values.len()));
    };
    let (mut keys, mut items, mut lengths) = (StringBuilder::new(), Vec::new(), Vec::new());
    for value in values {
        let object = match value {
            Some(Value::Object(object)) => Some(object),
            Some(other) => return Err(wrong(other, "map")),
            None => None,
        };
        lengths.push(object.map_or(0, |object| object.len()));
        for (key, item) in object.into_iter().flatten() {
            keys.append_value(key);
            items.push(item);
        }
    }
    let items = inner(&fields[1], items.into_iter())?;
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), items];
    let pairs =
        StructArray::try_new(fields.clone(), columns, None).map_err(|error| error.to_string())?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls(values), false)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| error.to_string())
}
