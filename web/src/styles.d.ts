// Style sheets that a script imports are bundled beside it.
declare module "*.css";
