//! Bytes in rows: previews of images, and downloads.
//!
//! Only what begins as a PNG, a JPEG, a GIF or a WebP does is sent as an image, with that type, whatever the row says it is; in a
//! sandbox, and never to be guessed again. Everything else is a download of plain bytes.

use std::ops::Deref;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_collections::Field;
use larder_core::Identifier;
use larder_core::bytes::Bytes;
use larder_core::store::{Action, VersionNumber};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::{clean, size};

use super::handles;
use crate::query::{Parameters, url};

/// The maximum size of an image that is shown beside its row.
const MOST_IMAGE: usize = 4 << 20;
/// The maximum number of characters of a media type.
const MOST_TYPE: usize = 80;
/// The content security policy of an image: it is nothing but an image, also when it is opened by itself.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

pub(super) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/media/{*rest}", of_name, media)]
}

/// Returns the type of a raster image by its first bytes.
fn raster(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    match bytes {
        _ if starts(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        _ if starts(b"\xff\xd8\xff") => Some("image/jpeg"),
        _ if starts(b"GIF87a") || starts(b"GIF89a") => Some("image/gif"),
        _ if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Some("image/webp"),
        _ => None,
    }
}

/// A value of bytes, in its column.
struct Value<'a> {
    bytes: &'a [u8],
    /// The media type that the row states.
    stated: Option<&'a str>,
}

/// Returns the bytes of a value: of a field of bytes, or of a struct of bytes and their media type.
fn bytes_in(array: &dyn Array, row: usize) -> Option<Value<'_>> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Binary => {
            Some(Value { bytes: array.as_binary::<i32>().value(row), stated: None })
        }
        DataType::FixedSizeBinary(_) => {
            Some(Value { bytes: array.as_fixed_size_binary().value(row), stated: None })
        }
        kind if is_media(kind) => {
            let parts = array.as_struct();
            let value = bytes_in(parts.column_by_name("bytes")?, row)?;
            let types = parts.column_by_name("media_type")?.as_string_opt::<i32>()?;
            Some(Value { stated: types.is_valid(row).then(|| types.value(row)), ..value })
        }
        _ => None,
    }
}

/// Returns whether a type is that of [`Media`](larder_collections::Media).
fn is_media(kind: &DataType) -> bool {
    let DataType::Struct(fields) = kind else { return false };
    let has = |name: &str, kind: DataType| {
        fields.iter().any(|it| it.name() == name && *it.data_type() == kind)
    };
    fields.len() == 2 && has("media_type", DataType::Utf8) && has("bytes", DataType::Binary)
}

/// Returns whether the values of a field are bytes.
pub(super) fn holds_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::FixedSizeBinary(_)) || is_media(kind)
}

/// Bytes beside a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Media {
    /// The stated media type, and the size.
    pub(super) label: String,
    /// Where an image is.
    pub(super) image: Option<String>,
    pub(super) download: String,
}

impl Media {
    /// Describes a value; `None` for null.
    pub(super) fn of(
        name: &Identifier,
        version: VersionNumber,
        field: &Field,
        id: u64,
        (array, row): (&dyn Array, usize),
    ) -> Option<Self> {
        let Value { bytes, stated } = bytes_in(array, row)?;
        let stated = stated.or(field.media_type.as_deref());
        let kind = match (stated, &field.serializer) {
            (Some(stated), _) => stated.chars().take(MOST_TYPE).collect(),
            (None, Some(serializer)) => format!("by {serializer}"),
            (None, None) => raster(bytes).unwrap_or("bytes").to_owned(),
        };
        let at = |download: &str| {
            let (version, id) = (version.get().to_string(), id.to_string());
            let place = [
                ("version", &*version),
                ("row", &id),
                ("field", &field.name),
                ("download", download),
            ];
            url(&format!("/ui/media/{name}"), &place)
        };
        let is_shown = raster(bytes).is_some() && bytes.len() <= MOST_IMAGE;
        Some(Self {
            label: format!("{}, {}", clean(&kind), size(bytes.len() as u64)),
            image: is_shown.then(|| at("")),
            download: at("1"),
        })
    }
}

/// A value of a column of one row, which is kept as it was read.
struct Kept(ArrayRef);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        bytes_in(self.0.deref(), 0).map_or(&[], |value| value.bytes)
    }
}

async fn media(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let parameters = Parameters::of(&request);
    let version = handles::number(parameters.get("version"))?;
    let row = parameters.get("row").parse::<u64>();
    let row = row.map_err(|_| Failure::bad_request("cannot send: no row is named"))?;
    let field = parameters.whole("field").to_owned();
    let is_download = !parameters.get("download").is_empty();
    let (of, column) = (context.clone(), field.clone());
    let read = context.blocking(move || {
        let version = handles::open(&of, &name)?.version(&of, version)?;
        let found = version.take(&[row], Some(&[column]))?;
        if found.ids.is_empty() {
            return Err(Failure::not_found("cannot send: there is no such row"));
        }
        let array = found.rows.column(0);
        match bytes_in(array, 0) {
            Some(_) => Ok((name, Bytes::from_owner(Kept(array.clone())))),
            None => Err(Failure::not_found("cannot send: the row has no bytes in that field")),
        }
    });
    let (name, bytes) = read.await?;
    if is_download {
        return Ok(download(&name, row, &field, bytes));
    }
    let Some(kind) = raster(&bytes) else {
        let message = "cannot show: this is no PNG, JPEG, GIF or WebP image; download it instead";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Failure::new(status, "unsupported_type", message));
    };
    Ok(sent(kind, HeaderValue::from_static("inline"), bytes))
}

fn download(name: &Identifier, row: u64, field: &str, bytes: Bytes) -> Response {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let file: String = format!("{name}-{row}-{field}").chars().map(plain).take(120).collect();
    let disposition = format!("attachment; filename=\"{file}.bin\"");
    let disposition = HeaderValue::try_from(disposition);
    let disposition = disposition.unwrap_or(HeaderValue::from_static("attachment"));
    sent("application/octet-stream", disposition, bytes)
}

fn sent(kind: &'static str, disposition: HeaderValue, bytes: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX)),
    ];
    (headers, Body::from(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_raster_images_are_images() {
        let images: [(&[u8], &str); 5] = [
            (b"\x89PNG\r\n\x1a\n\0", "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a;", "image/gif"),
            (b"GIF87a;", "image/gif"),
            (b"RIFF\x08\0\0\0WEBPVP8 ", "image/webp"),
        ];
        for (bytes, kind) in images {
            assert_eq!(raster(bytes), Some(kind));
        }
        let others: [&[u8]; 8] = [
            b"",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html>",
            b" \x89PNG\r\n\x1a\n",
            b"RIFF\x08\0\0\0WAVE",
            b"RIFF",
            b"BM6",
            b"%PDF-1.7",
        ];
        for bytes in others {
            assert_eq!(raster(bytes), None, "{bytes:?}");
        }
    }
}
