//! The methods of `Deserializer` that every wrapper forwards in the same way.

/// Calls the macro `$forward` with these methods and their arguments. Left out are those that some wrapper treats in a way of
/// its own: `f32`, options, tuples, structs, and owned text and bytes.
macro_rules! common_methods {
    ($forward:ident) => {
        $forward! {
            deserialize_any(),
            deserialize_bool(),
            deserialize_i8(),
            deserialize_i16(),
            deserialize_i32(),
            deserialize_i64(),
            deserialize_i128(),
            deserialize_u8(),
            deserialize_u16(),
            deserialize_u32(),
            deserialize_u64(),
            deserialize_u128(),
            deserialize_f64(),
            deserialize_char(),
            deserialize_str(),
            deserialize_bytes(),
            deserialize_unit(),
            deserialize_unit_struct(name: &'static str),
            deserialize_newtype_struct(name: &'static str),
            deserialize_seq(),
            deserialize_tuple_struct(name: &'static str, len: usize),
            deserialize_map(),
            deserialize_enum(name: &'static str, variants: &'static [&'static str]),
            deserialize_identifier(),
            deserialize_ignored_any(),
        }
    };
}
