// A provider of OpenID Connect for the tests: the npm package `oidc-provider`, its own pages for development, and a signer that
// signs anything with its keys.
//
// Whoever signs in as NAME is NAME@Example.com, in the groups `ml` and `unknown`; `eve` has no verified address.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

let keys = 0;

function newKey(type) {
  const options = type === 'rsa' ? { modulusLength: 2048 } : { namedCurve: 'P-256' };
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  keys += 1;
  return { kid: `key-${keys}`, privateKey, publicKey };
}

const state = { rsa: newKey('rsa'), ec: newKey('ec'), stranger: newKey('rsa') };
let issuer = '';
let provider;

function jwk({ kid, privateKey }, alg) {
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

function start() {
  provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'larder',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: [process.env.REDIRECT_URI],
      },
      {
        client_id: 'larder-web',
        client_secret: 'secret of larder + web',
        grant_types: ['authorization_code'],
        redirect_uris: [process.env.REDIRECT_URI],
      },
      {
        client_id: 'shop',
        client_secret: 'secret of the shop',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
    ],
    jwks: { keys: [jwk(state.rsa, 'RS256'), jwk(state.ec, 'ES256')] },
    cookies: { keys: ['a key of the tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups', 'name'] },
    conformIdTokenClaims: process.env.THIN_ID_TOKENS === '1',
    features: {
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      userinfo: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => false,
        getResourceServerInfo: () => ({
          scope: '',
          audience: 'larder-services',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@Example.com`,
        email_verified: id !== 'eve',
        groups: ['ml', 'unknown'],
        name: id,
      }),
    }),
  });
  provider.on('server_error', (_, error) => console.error(error));
}

const coded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// Signs { by, header, payload }: `by` is one of the keys, `public` for HMAC with the public key, or `nobody`.
function signed({ by, header, payload }) {
  const text = `${coded(header)}.${coded(payload)}`;
  if (by === 'nobody') return `${text}.`;
  if (by === 'public') {
    const secret = state.rsa.publicKey.export({ format: 'pem', type: 'spki' });
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  }
  const key = { key: state[by].privateKey, dsaEncoding: 'ieee-p1363' };
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const server = createServer(async (request, response) => {
  if (request.url === '/test/sign') {
    response.end(signed(JSON.parse(await body(request))));
  } else if (request.url === '/test/rotate') {
    state.rsa = newKey('rsa');
    state.ec = newKey('ec');
    start();
    response.end(JSON.stringify({ rsa: state.rsa.kid, ec: state.ec.kid }));
  } else if (request.url === '/test/keys') {
    response.end(JSON.stringify({ rsa: state.rsa.kid, ec: state.ec.kid }));
  } else {
    provider.callback()(request, response);
  }
});

server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  start();
  console.log(issuer);
});
