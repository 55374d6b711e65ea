/** Compared with what the compiler infers from the module itself, where that is not `any`. */

import * as real from "./module.js";
import * as typed from "channels_progress";

type Function = (...args: any) => unknown;
type Arities<M> = { [N in keyof M as M[N] extends Function ? N : never]: M[N] extends Function ? Parameters<M[N]>["length"] : never };
type Results<M> = { [N in keyof M as M[N] extends Function ? N : never]: M[N] extends Function ? keyof NonNullable<ReturnType<M[N]>> : never };
type Members<M> = { [N in keyof M as M[N] extends { prototype: object } ? N : never]: M[N] extends { prototype: infer P } ? keyof P : never };

// Every call that the types allow is one that the module takes.
export const arities = (of: Arities<typeof typed>): Arities<typeof real> => of;
// What the types promise is there.
export const results = (of: Results<typeof typed>): Results<typeof real> => of;
export const members = (of: Members<typeof typed>): Members<typeof real> => of;
export const membersToo = (of: Members<typeof real>): Members<typeof typed> => of;
export const texts = (of: keyof ReturnType<typeof real.describeTask>): keyof ReturnType<typeof typed.describeTask> => of;
export const known = (of: keyof typeof real.UNKNOWN_TASK): keyof typeof typed.UNKNOWN_TASK => of;
