//! Signature of the function or method that predicts.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, Pat, PathArguments, Result, ReturnType,
    Signature, Type,
};

/// Arguments and return type of the function or method.
pub(super) struct Call {
    pub(super) arguments: Vec<Argument>,
    /// The return type, or the `T` of `Result<T, E>`.
    pub(super) output: Type,
    /// The whole return type if it is a `Result`.
    pub(super) result: Option<Type>,
}

pub(super) struct Argument {
    /// Attributes of serde and schemars, and doc comments.
    pub(super) attrs: Vec<Attribute>,
    pub(super) name: Ident,
    pub(super) ty: Type,
}

impl Call {
    /// Parses the signature of a function, and removes the attributes that rustc rejects on arguments.
    pub(super) fn of_function(signature: &mut Signature) -> Result<Self> {
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(
                receiver,
                "cannot make a method a model: put `#[objectmodel(tag = \"…\")]` on its `impl` block",
            ));
        }
        Self::read(signature)
    }

    /// Parses the signature of a method.
    pub(super) fn of_method(signature: &mut Signature) -> Result<Self> {
        match signature.receiver() {
            Some(receiver)
                if receiver.reference.is_some()
                    && receiver.mutability.is_none()
                    && receiver.colon_token.is_none() => {}
            Some(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "a model predicts on several threads: take `&self`",
                ));
            }
            None => {
                return Err(Error::new_spanned(
                    &signature.ident,
                    "missing `&self`: add it, or make a function the model",
                ));
            }
        }
        Self::read(signature)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Ident> {
        self.arguments.iter().map(|argument| &argument.name)
    }

    fn read(signature: &mut Signature) -> Result<Self> {
        let mut arguments = Vec::new();
        let mut errors = Errors(check_qualifiers(signature).err());
        for input in &mut signature.inputs {
            if let FnArg::Typed(argument) = input {
                let of_signature = |attribute: &Attribute| {
                    ["doc", "serde", "schemars"].iter().any(|name| attribute.path().is_ident(name))
                };
                let (attrs, others) =
                    std::mem::take(&mut argument.attrs).into_iter().partition(of_signature);
                argument.attrs = others;
                if let Some(argument) =
                    errors.keep(Argument::read(attrs, &argument.pat, &argument.ty))
                {
                    arguments.push(argument);
                }
            }
        }
        let output = errors.keep(read_output(signature));
        match (errors.0, output) {
            (None, Some((output, result))) => Ok(Self { arguments, output, result }),
            (Some(error), _) => Err(error),
            (None, None) => Err(Error::new(signature.span(), "the model has no return type")),
        }
    }
}

impl Argument {
    fn read(attrs: Vec<Attribute>, pat: &Pat, ty: &Type) -> Result<Self> {
        let name = match pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
            _ => {
                return Err(Error::new_spanned(
                    pat,
                    "an argument needs a name: use patterns inside the function",
                ));
            }
        };
        let reason = match ty {
            Type::Reference(_) => {
                "an argument cannot be a reference: use `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`"
            }
            Type::ImplTrait(_) => "an argument cannot be `impl Trait`: use a concrete type",
            _ if mentions_self(ty.to_token_stream()) => {
                "an argument cannot mention `Self`: write the type's name"
            }
            _ => return Ok(Self { attrs, name, ty: ty.clone() }),
        };
        Err(Error::new_spanned(ty, reason))
    }
}

fn check_qualifiers(signature: &Signature) -> Result<()> {
    let mut errors = Errors(None);
    let mut refuse = |tokens: &dyn ToTokens, reason| {
        errors.add(Error::new_spanned(tokens.to_token_stream(), reason));
    };
    if let Some(token) = &signature.asyncness {
        refuse(token, "a model cannot be `async`: block inside the function");
    }
    if let Some(token) = &signature.unsafety {
        refuse(token, "a model cannot be `unsafe`: wrap it in a safe function");
    }
    if let Some(token) = &signature.abi {
        refuse(token, "a model cannot be `extern`: wrap it in a Rust function");
    }
    if !signature.generics.params.is_empty() {
        refuse(&signature.generics, "a model cannot be generic: a tag names one function");
    }
    if let Some(token) = &signature.generics.where_clause {
        refuse(token, "a model cannot have a `where` clause");
    }
    if let Some(token) = &signature.variadic {
        refuse(token, "a model cannot be variadic: name each argument");
    }
    errors.0.map_or(Ok(()), Err)
}

/// Returns the output type, and the return type if it is a `Result`.
fn read_output(signature: &Signature) -> Result<(Type, Option<Type>)> {
    let ty = match &signature.output {
        ReturnType::Type(_, ty) => &**ty,
        ReturnType::Default => {
            return Err(Error::new_spanned(
                &signature.ident,
                "missing return type: a model returns its prediction",
            ));
        }
    };
    match ty {
        Type::ImplTrait(_) => {
            Err(Error::new_spanned(ty, "a model cannot return `impl Trait`: use a concrete type"))
        }
        Type::Reference(to)
            if to.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
        {
            Err(Error::new_spanned(ty, "a model cannot return a reference: return an owned type"))
        }
        Type::Path(path) => {
            let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
                return Ok((ty.clone(), None));
            };
            let given = match &last.arguments {
                PathArguments::AngleBracketed(given) => given.args.first(),
                _ => None,
            };
            match given {
                Some(GenericArgument::Type(output)) => Ok((output.clone(), Some(ty.clone()))),
                _ => Err(Error::new_spanned(
                    ty,
                    "a type alias of `Result` hides the output type: write `Result<T, E>`",
                )),
            }
        }
        _ => Ok((ty.clone(), None)),
    }
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        _ => false,
    })
}

/// All errors of an item, combined.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }
}
