// Signs in with openid-client, as a Node server does. It writes the address to open; it reads the
// provider's metadata and the client first, then the address that the browser came back to.
import { createInterface } from "node:readline";
import * as client from "./vendor/openid-client-6.9.0.min.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;
const write = (value) => console.log(JSON.stringify(value));

const { server, clientId, secret, method, redirectUri } = JSON.parse(await read());
const config = new client.Configuration(server, clientId, {}, client[method](secret));
client.allowInsecureRequests(config); // loopback has no https
client.enableNonRepudiationChecks(config); // verify the ID token's signature, too

const verifier = client.randomPKCECodeVerifier();
const [nonce, state] = [client.randomNonce(), client.randomState()];
write(
  client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "openid email profile",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    state,
  }).href,
);

const tokens = await client.authorizationCodeGrant(config, new URL(await read()), {
  pkceCodeVerifier: verifier,
  expectedNonce: nonce,
  expectedState: state,
  idTokenExpected: true,
});
const { sub } = tokens.claims();
write({
  nonce,
  tokens,
  user: await client.fetchUserInfo(config, tokens.access_token, sub),
  renewed: await client.refreshTokenGrant(config, tokens.refresh_token),
});
await client.tokenRevocation(config, tokens.refresh_token);
const refused = await client.refreshTokenGrant(config, tokens.refresh_token).catch((error) => error);
write(refused.error ?? "renewed after the revocation");
process.exit();
