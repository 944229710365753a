//! The signature of the function or method that predicts.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, Pat, PathArguments, Result, ReturnType,
    Signature, Type,
};

/// A function or method as a model sees it.
pub(super) struct Call {
    pub(super) arguments: Vec<Argument>,
    /// What it gives.
    pub(super) output: Type,
    /// The `Result` that it gives it in, if it does.
    pub(super) result: Option<Type>,
}

pub(super) struct Argument {
    /// Those that are for the signature: serde's, schemars' and doc comments.
    pub(super) attrs: Vec<Attribute>,
    pub(super) name: Ident,
    pub(super) ty: Type,
}

impl Call {
    /// Reads a function's signature, and takes from its arguments what rustc would not bear there.
    pub(super) fn of_function(signature: &mut Signature) -> Result<Self> {
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(
                receiver,
                "a method is made a model on its `impl` block: #[objectmodel(tag = \"…\")] impl …",
            ));
        }
        Self::read(signature)
    }

    /// The same for a method.
    pub(super) fn of_method(signature: &mut Signature) -> Result<Self> {
        match signature.receiver() {
            Some(receiver)
                if receiver.reference.is_some()
                    && receiver.mutability.is_none()
                    && receiver.colon_token.is_none() => {}
            Some(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "a model predicts for many at once: it takes `&self`",
                ));
            }
            None => {
                return Err(Error::new_spanned(
                    &signature.ident,
                    "a method that predicts takes `&self`; without state, make a function the model",
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
        let mut errors = Errors(refuse_kind(signature).err());
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
            (None, None) => Err(Error::new(signature.span(), "the model gives nothing")),
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
                    "an argument has a name, by which the input gives it; take patterns apart inside",
                ));
            }
        };
        let reason = match ty {
            Type::Reference(_) => {
                "a model owns what it is given: take `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`"
            }
            Type::ImplTrait(_) => "the signature names each type: take one that is not `impl …`",
            _ if mentions_self(ty.to_token_stream()) => "write the type's name for `Self`",
            _ => return Ok(Self { attrs, name, ty: ty.clone() }),
        };
        Err(Error::new_spanned(ty, reason))
    }
}

fn refuse_kind(signature: &Signature) -> Result<()> {
    let mut errors = Errors(None);
    let mut refuse = |tokens: &dyn ToTokens, reason| {
        errors.add(Error::new_spanned(tokens.to_token_stream(), reason));
    };
    if let Some(token) = &signature.asyncness {
        refuse(token, "a model predicts at once: it is not `async`");
    }
    if let Some(token) = &signature.unsafety {
        refuse(
            token,
            "whoever loads a model cannot promise what `unsafe` asks: it is not `unsafe`",
        );
    }
    if let Some(token) = &signature.abi {
        refuse(token, "a model is a plain Rust function: it is not `extern`");
    }
    if !signature.generics.params.is_empty() {
        refuse(&signature.generics, "a model has no parameters: one tag names one function");
    }
    if let Some(token) = &signature.generics.where_clause {
        refuse(token, "a model has no parameters, and so no conditions on them");
    }
    if let Some(token) = &signature.variadic {
        refuse(token, "a model names each of its arguments");
    }
    errors.0.map_or(Ok(()), Err)
}

/// The type that is given, and the `Result` that it comes in.
fn read_output(signature: &Signature) -> Result<(Type, Option<Type>)> {
    let ty = match &signature.output {
        ReturnType::Type(_, ty) => &**ty,
        ReturnType::Default => {
            return Err(Error::new_spanned(
                &signature.ident,
                "a model gives something: write what it returns",
            ));
        }
    };
    match ty {
        Type::ImplTrait(_) => Err(Error::new_spanned(
            ty,
            "the signature names each type: return one that is not `impl …`",
        )),
        Type::Reference(to)
            if to.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
        {
            Err(Error::new_spanned(ty, "a model gives away what it returns: return an owned type"))
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
                _ => Err(Error::new_spanned(ty, "write what it returns: `Result<T, E>`")),
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

/// Every error of an item is told at once.
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
