//! WebAssembly models.

mod answers;
mod cached;
mod checked;
mod guests;
mod hostile;
mod serializers;
mod stored;
