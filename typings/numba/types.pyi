class Type: ...

float32: Type
float64: Type
int64: Type
intp: Type
boolean: Type
void: Type
