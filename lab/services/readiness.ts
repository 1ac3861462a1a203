import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Ready } from './spec.ts';

/** How long one probe may take. */
const PROBE_MS = 2000;

/** CQL protocol v4: an OPTIONS request on stream 0 without a body, and the opcode of its answer, SUPPORTED. */
const CQL_OPTIONS = Buffer.from([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0]);
const CQL_SUPPORTED = 0x06;

/** One probe of a service: true when it answers as it should. */
export async function isReady(ready: Ready): Promise<boolean> {
  if (ready.kind === 'http') return answersHttp(ready.url, ready.caFile);
  return answersTcp(ready.host, ready.port, ready.kind === 'cql');
}

function answersTcp(host: string, port: number, cql: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_MS, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => (cql ? socket.write(CQL_OPTIONS) : settle(true)));
    socket.once('data', (data) => settle(data.length > 4 && data[4] === CQL_SUPPORTED));
  });
}

async function answersHttp(url: string, caFile: string | undefined): Promise<boolean> {
  const ca = caFile === undefined ? undefined : await readFile(caFile);
  return new Promise((resolve) => {
    const options = { timeout: PROBE_MS, agent: false, ...(ca === undefined ? {} : { ca }) };
    const request = url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options);
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode !== undefined);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('close', () => resolve(false));
    request.end();
  });
}
